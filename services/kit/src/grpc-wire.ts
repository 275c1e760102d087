import type { DescMethodUnary, DescService } from '@bufbuild/protobuf';

// What both ends of a call agree on. A client is spared what only a server needs: health and reflection read .proto
// files with a library of their own.

/** Trailer with a refusal as UTF-8 JSON: `{code, message, details?}`. */
export const REFUSAL_TRAILER = 'esl-refusal-bin';

export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** The unary methods of a service, the only kind this system has. */
export const unaryMethods = (descriptor: DescService): DescMethodUnary[] =>
  descriptor.methods.filter((method): method is DescMethodUnary => method.methodKind === 'unary');
