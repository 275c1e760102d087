import { z } from 'zod';

export const ROLES = ['viewer', 'user', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a stranger may make of itself; admins are made by admins. */
export const OPEN_ROLES = ['user', 'viewer'] as const;

const MAX_EMAIL = 254;
const MAX_PASSWORD = 1_024;
const MIN_PASSWORD = 8;
const MAX_TOKEN = 4_096;

const time = z.iso.datetime({ precision: 3 });

/** Trimmed and in lower case: one person has one address, however it is typed. */
export const emailSchema = z
  .string()
  .max(1_024)
  .trim()
  .toLowerCase()
  .pipe(z.email('must be an email address').max(MAX_EMAIL, `must be at most ${MAX_EMAIL} characters`));

/** What a password must hold, and how each is told apart. Letters of any script count. */
const INGREDIENTS = {
  lowercase: /\p{Ll}/u,
  uppercase: /\p{Lu}/u,
  digit: /\p{Nd}/u,
  symbol: /[^\p{L}\p{N}\s\p{C}]/u,
} as const;

/** What a password lacks; empty when it is good. */
export const weaknesses = (password: string): string[] => [
  ...(password.length < MIN_PASSWORD ? ['length'] : []),
  ...(password.length > MAX_PASSWORD || !password.isWellFormed() ? ['too_long_or_malformed'] : []),
  ...Object.entries(INGREDIENTS).flatMap(([name, found]) => (found.test(password) ? [] : [name])),
];

export const newPasswordSchema = z
  .string()
  .max(MAX_PASSWORD, `must be at most ${MAX_PASSWORD} characters`)
  .refine((password) => weaknesses(password).length === 0, 'is too weak')
  .describe(
    `${MIN_PASSWORD} to ${MAX_PASSWORD} characters, among them a lower-case and an upper-case letter, a digit and a symbol`,
  );

export const registerSchema = z
  .object({ email: emailSchema, password: newPasswordSchema, role: z.enum(OPEN_ROLES).optional() })
  .meta({ id: 'Register' });

export const loginSchema = z
  .object({
    email: z.string().max(1_024),
    password: z.string().max(MAX_PASSWORD),
    cookies: z
      .boolean()
      .optional()
      .describe('Keep the tokens in cookies that scripts cannot read, instead of answering them'),
  })
  .meta({ id: 'Login' });

export const refreshSchema = z
  .object({ refreshToken: z.string().max(MAX_TOKEN).optional() })
  .meta({ id: 'Refresh' });

export const userSummarySchema = z
  .object({ id: z.string(), email: z.string(), role: z.enum(ROLES), isActive: z.boolean() })
  .meta({ id: 'UserSummary' });

export const userSchema = userSummarySchema
  .extend({ createdAt: time, updatedAt: time, lastLoginAt: time.nullable() })
  .meta({ id: 'User' });
export type UserDto = z.infer<typeof userSchema>;

export const userAnswerSchema = z.object({ user: userSchema }).meta({ id: 'UserAnswer' });
export const userChangedSchema = z
  .object({ message: z.string(), user: userSchema })
  .meta({ id: 'UserChanged' });

/** Answer of login and refresh. Tokens are null when they were set as cookies. */
export const signedInSchema = z
  .object({
    message: z.string(),
    user: userSummarySchema,
    accessToken: z.string().nullable(),
    refreshToken: z.string().nullable(),
    expiresIn: z.int().describe('Seconds'),
    refreshExpiresIn: z.int().describe('Seconds'),
    csrfToken: z.string().nullable().describe('With cookies: what unsafe requests carry in X-CSRF-Token'),
  })
  .meta({ id: 'SignedIn' });

export const profileChangeSchema = z
  .object({
    email: emailSchema.optional(),
    currentPassword: z.string().max(MAX_PASSWORD).optional(),
    newPassword: newPasswordSchema.optional(),
  })
  .meta({ id: 'ProfileChange' });

export const sessionSchema = z
  .object({
    id: z.string(),
    createdAt: time,
    lastUsedAt: time,
    expiresAt: time,
    userAgent: z.string().nullable(),
    address: z.string().nullable(),
    current: z.boolean().describe('The session that asks'),
  })
  .meta({ id: 'Session' });
export const sessionListSchema = z
  .object({ sessions: z.array(sessionSchema), total: z.int() })
  .meta({ id: 'SessionList' });
