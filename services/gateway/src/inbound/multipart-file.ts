// Reads the first file of a multipart form (RFC 7578) while it streams.
//   F1. No more is held than the file's limit, and all forms together hold no more than MAX_HELD_BYTES.
//   F2. What is refused is still read to its end, though not kept: a client that is still sending would not see the
//       answer otherwise. What never ends is cut off (MAX_DRAINED_BYTES; the server's request timeout).
//   F3. A form that ends early gives no file.

import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy';
import type { Request } from 'express';
import type { SentFile } from '../uploads/check-lesson.ts';
import { type Problem, problem } from './problem.ts';

const MAX_HELD_BYTES = 128 * 1024 * 1024;
const MAX_DRAINED_BYTES = 128 * 1024 * 1024;
const LIMITS = {
  files: 1,
  fields: 50,
  fieldSize: 64 * 1024,
  fieldNameSize: 256,
  parts: 60,
  headerPairs: 50,
  headerSize: 16 * 1024,
} as const;

let heldBytes = 0;

const cutOff = () => problem('invalid_body', 'The form ended before it was complete.');
const unreadable = () => problem('invalid_body', 'The body is not a valid multipart form.');

const formOf = (request: Request, maxBytes: number): BusboyInstance => {
  const type = request.headers['content-type'];
  const isEmpty = request.headers['content-length'] === '0' || !hasBody(request);
  if (isEmpty) throw problem('no_file', 'The form holds no file.');
  if (!type || !/^multipart\/form-data\s*;/i.test(type))
    throw problem('unsupported_media_type', 'The body must be a form (Content-Type: multipart/form-data).');
  try {
    return new Busboy({
      headers: request.headers as BusboyHeaders,
      // One more than allowed: a file of exactly the limit is whole.
      limits: { ...LIMITS, fileSize: maxBytes + 1 },
      isPartAFile: (_field, _type, name) => name !== undefined,
      preservePath: true,
    });
  } catch {
    throw unreadable();
  }
};

const hasBody = ({ headers }: Request) =>
  headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined;

/** Throws a problem when there is no file, or it is larger than `maxBytes`. */
export const readFile = async (request: Request, maxBytes: number): Promise<SentFile> => {
  const form = formOf(request, maxBytes);
  const chunks: Buffer[] = [];
  let held = 0;
  let named: Omit<SentFile, 'bytes'> | null = null;
  let refusal: Problem | null = null;
  const release = () => {
    heldBytes -= held;
    held = 0;
    chunks.length = 0;
  };
  const refuse = (why: Problem) => {
    refusal ??= why;
    release();
  };
  const keep = (chunk: Buffer) => {
    if (refusal) return;
    if (held + chunk.length > maxBytes)
      return refuse(problem('file_too_large', `The file is larger than ${maxBytes} bytes.`));
    if (heldBytes + chunk.length > MAX_HELD_BYTES)
      return refuse(
        problem('unavailable', 'Too many files arrive at once; try again shortly.', {
          headers: { 'retry-after': '5' },
        }),
      );
    chunks.push(chunk);
    held += chunk.length;
    heldBytes += chunk.length;
  };

  const read = Promise.withResolvers<void>();
  let drained = 0;
  request.on('data', (chunk: Buffer) => {
    drained += chunk.length;
    if (drained > MAX_DRAINED_BYTES) request.destroy();
  });
  request.once('close', () => {
    if (!request.complete) read.reject(cutOff());
  });
  form.on('file', (_field, stream, name, _encoding, type) => {
    named = { name, type };
    stream.on('data', keep).on('error', () => refuse(cutOff()));
  });
  form.once('finish', read.resolve);
  form.once('error', () => {
    refuse(unreadable());
    request.unpipe(form);
    request.resume();
    if (request.readableEnded) read.resolve();
    else request.once('end', read.resolve);
  });
  request.pipe(form);
  try {
    await read.promise;
    const found = named as Omit<SentFile, 'bytes'> | null;
    if (refusal) throw refusal;
    if (!found) throw problem('no_file', 'The form holds no file.');
    return { ...found, bytes: Buffer.concat(chunks, held) };
  } finally {
    release();
  }
};
