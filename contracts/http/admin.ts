import { z } from 'zod';
import { ROLES, userSchema } from './accounts.ts';
import { JOB_STATES, jobSchema, listJobsQuerySchema } from './job.ts';
import { pageQuerySchema } from './page.ts';

const time = z.iso.datetime({ precision: 3 });
const ownCursor = z.uuid().optional().describe('`nextCursor` of the page before');

export const listUsersQuerySchema = pageQuerySchema.extend({
  cursor: ownCursor,
  q: z.string().trim().min(1).max(254).optional().describe('Part of an email address'),
  role: z.enum(ROLES).optional(),
  isActive: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
});
export const userListSchema = z
  .object({ users: z.array(userSchema), total: z.int(), nextCursor: z.string().nullable() })
  .meta({ id: 'UserList' });

/** What an admin may change of another user. */
export const userChangeSchema = z
  .object({ role: z.enum(ROLES).optional(), isActive: z.boolean().optional() })
  .meta({ id: 'UserChange' });

export const listAllJobsQuerySchema = listJobsQuerySchema.extend({
  ownerId: z.string().min(1).max(128).optional().describe('Only jobs of this user'),
});
export const ownedJobSchema = jobSchema.extend({ ownerId: z.string() }).meta({ id: 'OwnedJob' });
export const allJobsSchema = z
  .object({ jobs: z.array(ownedJobSchema), total: z.int(), nextCursor: z.string().nullable() })
  .meta({ id: 'AllJobs' });

export const jobDeletedSchema = z.object({ message: z.string(), jobId: z.uuid() }).meta({ id: 'JobDeleted' });

export const systemStatsSchema = z
  .object({
    totalUsers: z.int(),
    systemStatus: z.enum(['operational', 'degraded']),
    timestamp: time,
    jobsByState: z.object(
      Object.fromEntries(JOB_STATES.map((state) => [state, z.int()])) as Record<
        (typeof JOB_STATES)[number],
        z.ZodInt
      >,
    ),
    queue: z.object({
      depth: z.int().describe('Jobs that wait and could run'),
      scheduled: z.int().describe('Jobs that wait for their time'),
      oldestAgeMs: z.int().describe('How long the longest waiting job has; 0 when none waits'),
    }),
    throughput: z.array(
      z.object({
        windowSeconds: z.int(),
        succeeded: z.int(),
        failed: z.int(),
        cancelled: z.int(),
      }),
    ),
    failures: z.array(z.object({ code: z.string(), count: z.int() })).describe('Within a day'),
    consumers: z
      .array(z.object({ stream: z.string(), consumer: z.string(), pending: z.int(), inFlight: z.int() }))
      .describe('How far each is behind'),
    outboxOldestAgeMs: z.int().describe('How long a stored event has not been published; 0 when none waits'),
    deadLetters: z.int(),
  })
  .meta({ id: 'SystemStats' });
export type SystemStats = z.infer<typeof systemStatsSchema>;

export const deadLetterSchema = z
  .object({
    id: z.string(),
    subject: z.string(),
    schema: z.string(),
    consumer: z.string(),
    reason: z.string(),
    deadAt: time.nullable(),
    bytes: z.int(),
  })
  .meta({ id: 'DeadLetter' });
export const deadLetterListSchema = z
  .object({ deadLetters: z.array(deadLetterSchema), total: z.int(), nextCursor: z.string().nullable() })
  .meta({ id: 'DeadLetterList' });
export const deadLetterAnswerSchema = z
  .object({
    deadLetter: deadLetterSchema,
    payload: z.unknown().describe('What it carried, as ProtoJSON; null when it cannot be decoded'),
  })
  .meta({ id: 'DeadLetterAnswer' });
export const deadLetterRedrivenSchema = z
  .object({ message: z.string(), subject: z.string() })
  .meta({ id: 'DeadLetterRedriven' });

/** What is written down about security. */
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

export const listAuditQuerySchema = pageQuerySchema.extend({
  cursor: ownCursor,
  kind: z.enum(AUDIT_KINDS).optional(),
  userId: z.string().min(1).max(128).optional(),
});
export const auditRecordSchema = z
  .object({
    id: z.string(),
    at: time,
    kind: z.enum(AUDIT_KINDS),
    actorId: z.string().nullable().describe('Who did it, when that is known'),
    userId: z.string().nullable().describe('Whose account it is about'),
    address: z.string().nullable(),
    requestId: z.string().nullable(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  })
  .meta({ id: 'AuditRecord' });
export const auditListSchema = z
  .object({ records: z.array(auditRecordSchema), nextCursor: z.string().nullable() })
  .meta({ id: 'AuditList' });
