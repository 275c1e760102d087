import type { AuditKind } from '@esl-pipeline/contracts';

export type { AuditKind };

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
