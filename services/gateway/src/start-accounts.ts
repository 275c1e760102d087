import { fromBinary } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { BlobStore } from '@esl/kit/blob-store';
import type { Bus } from '@esl/kit/bus';
import type { GrpcClient } from '@esl/kit/grpc-client';
import type { Log } from '@esl/kit/log';
import { announce } from '@esl/kit/publish';
import type { Job } from '@esl-pipeline/contracts';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import type { OwnerSettingsService } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import type * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import type { JobAdminService } from '@esl-pipeline/contracts/esl/jobs/v1/job_admin_service';
import type { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import type { Db } from 'mongodb';
import { accessTokens } from './accounts/access-token.ts';
import { credentialLimits } from './accounts/credential-limits.ts';
import { liveSessions } from './accounts/live-sessions.ts';
import type { Limit } from './accounts/needs.ts';
import { newSigningKey } from './accounts/new-signing-key.ts';
import { openPasswords } from './accounts/passwords.ts';
import { jwtKeys, openSigningKeys } from './accounts/signing-keys.ts';
import { changeProfile } from './app/change-profile.ts';
import { changeUser } from './app/change-user.ts';
import { keepUpload } from './app/keep-upload.ts';
import { registerUser } from './app/register-user.ts';
import { refreshSession, signIn } from './app/sign-in.ts';
import type { LessonSource } from './app/submit-job.ts';
import type { Config } from './config.ts';
import { byAccessToken } from './inbound/authenticate.ts';
import { callCounter } from './inbound/rate-limit.ts';
import type { Route } from './inbound/route.ts';
import { adminRoutes } from './inbound/routes/admin.ts';
import { authRoutes } from './inbound/routes/auth.ts';
import { deadLetterRoutes } from './inbound/routes/dead-letters.ts';
import type { WatchCaller } from './inbound/routes/events.ts';
import { settingsRoutes } from './inbound/routes/settings.ts';
import { uploadRoutes } from './inbound/routes/uploads.ts';
import { userRoutes } from './inbound/routes/user.ts';
import { mongoSessionStore, mongoUserStore } from './outbound/mongo-accounts.ts';
import { mongoAuditLog } from './outbound/mongo-audit-log.ts';
import { mongoRateLimits } from './outbound/mongo-rate-limits.ts';
import { mongoUploadStore } from './outbound/mongo-uploads.ts';
import { lessonChecker } from './uploads/lesson-checker.ts';

/** How long this replica goes by what it last heard of a session, and how often it looks after open streams, in ms. */
const SESSION_MAX_AGE_MS = 2_000;
const SWEEP_MS = 2_000;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const steady = (times: number, perMs: number): Limit => ({ times, perMs, burst: times });

/** Wires accounts, uploads and what guards them. */
export const startAccounts = async (needs: {
  readonly config: Config;
  readonly db: Db;
  readonly publicUrl: string;
  readonly bus: Bus;
  readonly blobs: BlobStore;
  readonly owners: GrpcClient<typeof OwnerSettingsService>['call'];
  readonly jobs: GrpcClient<typeof JobsService>['call'];
  readonly jobAdmin: GrpcClient<typeof JobAdminService>['call'];
  readonly toDto: (job: pb.Job) => Job;
  readonly failing: () => Promise<readonly string[]>;
  readonly log: Log;
}) => {
  const { config, db, publicUrl, bus, blobs, owners, jobs, jobAdmin, toDto, failing, log } = needs;
  const clock = () => new Date();
  const now = Date.now;
  const [users, sessions, uploads, rateLimits, auditLog, passwords] = await Promise.all([
    mongoUserStore(db, clock),
    mongoSessionStore(db, clock),
    mongoUploadStore(db),
    mongoRateLimits(db),
    mongoAuditLog(db, { clock, log }),
    openPasswords(),
  ]);
  const { audit } = auditLog;

  if (!config.JWT_KEYS) log.warn('JWT_KEYS is not set: sessions end with this process');
  if (!config.SECRETS_KEYS) log.warn('SECRETS_KEYS is not set: users cannot keep keys of their own');
  const keys = await openSigningKeys(
    config.JWT_KEYS ?? jwtKeys.parse(JSON.stringify({ keys: [newSigningKey()] })),
  );
  const tokens = accessTokens({ keys, lifetimeMs: config.JWT_EXPIRES_IN, now });
  const live = liveSessions({ standings: sessions.standings, maxAgeMs: SESSION_MAX_AGE_MS, now, log });

  const changed = (userId: string) => {
    live.changed(userId);
    announce(bus, CHANNELS.accountChanged, userId, { userId, occurredAt: timestampFromDate(clock()) });
  };
  const { subject, schema } = CHANNELS.accountChanged;
  const changes = bus.nc.subscribe(subject('*'), {
    callback: (error, message) => {
      if (error) log.warn({ err: error }, 'account changes are not heard');
      else live.changed(fromBinary(schema, message.data).userId);
    },
  });
  const sweep = setInterval(() => void live.sweep(), SWEEP_MS);

  const limits = config.ENABLE_RATE_LIMITING ? rateLimits : null;
  const credentials = credentialLimits(limits, {
    account: steady(config.AUTH_FAILURE_LIMIT, config.AUTH_FAILURE_WINDOW),
    address: steady(config.AUTH_FAILURE_ADDRESS_LIMIT, config.AUTH_FAILURE_WINDOW),
    register: steady(config.REGISTRATION_RATE_LIMIT, HOUR_MS),
  });
  const { UPLOAD_RATE_LIMIT, UPLOAD_BURST_LIMIT, JOB_SUBMISSION_RATE_LIMIT } = config;
  const countCall = callCounter(limits, {
    upload: { times: UPLOAD_RATE_LIMIT, perMs: MINUTE_MS, burst: UPLOAD_BURST_LIMIT },
    submission: JOB_SUBMISSION_RATE_LIMIT > 0 ? steady(JOB_SUBMISSION_RATE_LIMIT, MINUTE_MS) : null,
  });

  const checker = lessonChecker();
  const lifetimes = { accessMs: config.JWT_EXPIRES_IN, refreshMs: config.REFRESH_TOKEN_EXPIRES_IN };
  const signing = { users, sessions, tokens, refreshLifetimeMs: lifetimes.refreshMs, clock, audit };
  const routes: Route[] = [
    ...authRoutes({
      register: registerUser({ users, passwords, limits: credentials, clock, audit }),
      logIn: signIn({ ...signing, passwords, limits: credentials }),
      refresh: refreshSession({ ...signing, changed }),
      users,
      sessions,
      keys,
      lifetimes,
      cookies: config.AUTH_COOKIES,
      audit,
      changed,
    }),
    ...userRoutes({
      change: changeProfile({ users, sessions, passwords, limits: credentials, audit, changed }),
      sessions,
      audit,
      changed,
    }),
    ...adminRoutes({
      users,
      change: changeUser({ users, sessions, audit, changed }),
      jobs,
      jobAdmin,
      toDto,
      auditLog,
      audit,
      failing,
      now,
    }),
    ...deadLetterRoutes({ jobAdmin, audit }),
    ...settingsRoutes({ owners, keys: config.SECRETS_KEYS ?? null, audit }),
    ...uploadRoutes({
      keep: keepUpload({
        check: checker.check,
        uploads,
        blobs,
        quotaBytes: config.UPLOAD_QUOTA_PER_USER,
        clock,
      }),
      uploads,
      blobs,
      maxBytes: config.MAX_FILE_SIZE,
      publicUrl,
    }),
  ];
  const findLesson: LessonSource = (md, ownerId) => uploads.keyOf({ ownerId, md });
  const watchCaller: WatchCaller = ({ session }, end) => (session ? live.watch(session, end) : () => {});

  return {
    routes,
    authenticate: byAccessToken({ tokens, sessions: live, cookies: config.AUTH_COOKIES, now }),
    countCall,
    watchCaller,
    findLesson,
    stop: async () => {
      clearInterval(sweep);
      changes.unsubscribe();
      await checker.close();
      await auditLog.flush();
    },
  };
};
