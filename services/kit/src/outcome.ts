/** An expected "no": a stable snake_case code, one sentence for people, and data a client may use. */
export type Refusal<Code extends string = string> = {
  readonly code: Code;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
};

export type Outcome<T, Code extends string = string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal<Code> };

export const accept = <T>(value: T) => ({ ok: true, value }) as const;

export const refuse = <Code extends string>(
  code: Code,
  message: string,
  details?: Readonly<Record<string, unknown>>,
) => ({ ok: false, refusal: details ? { code, message, details } : { code, message } }) as const;
