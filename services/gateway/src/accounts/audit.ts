/** What is written down about security, who did it and to whom. */
export const AUDIT_KINDS = [
  'registered',
  'signed_in',
  'sign_in_failed',
  'refresh_token_reused',
  'signed_out',
  'session_ended',
  'password_changed',
  'email_changed',
  'keys_changed',
  'user_changed',
  'job_deleted',
  'dead_letter_redriven',
  'dead_letter_dropped',
] as const;
export type AuditKind = (typeof AUDIT_KINDS)[number];

export type AuditEntry = {
  readonly kind: AuditKind;
  /** Who did it, when that is known. */
  readonly actorId: string | null;
  /** Whose account it is about. */
  readonly userId: string | null;
  readonly address: string | null;
  /** A few plain values, never a secret. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
};

/** Never fails: what it records has happened already. */
export type Audit = (entry: AuditEntry) => void;
