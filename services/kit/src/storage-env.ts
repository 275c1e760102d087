import { z } from 'zod';
import { flag, InvalidEnvironment, integer } from './env.ts';

const WEEK_S = 7 * 86_400;

const text = z.string().trim().min(1).optional();
const prefix = z
  .string()
  .transform((path) => path.replaceAll(/^\/+|\/+$/g, ''))
  .optional();

/** What a service reads that keeps blobs. Names in one row are aliases, the first that is set wins. */
export const storageEnv = {
  BLOB_DIR: text,
  FILESYSTEM_UPLOAD_DIR: text,
  STORAGE_PROVIDER: z.enum(['filesystem', 's3']).optional(),
  S3_BUCKET: text,
  S3_PREFIX: prefix,
  S3_BUCKET_NAME: text,
  STORAGE_BUCKET_NAME: text,
  S3_PATH_PREFIX: prefix,
  STORAGE_PATH_PREFIX: prefix,
  S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  S3_FORCE_PATH_STYLE: flag(false),
  S3_REGION: text,
  AWS_REGION: text,
  S3_ACCESS_KEY_ID: text,
  S3_SECRET_ACCESS_KEY: text,
  AWS_ACCESS_KEY_ID: text,
  AWS_SECRET_ACCESS_KEY: text,
  AWS_SESSION_TOKEN: text,
  S3_AUDIO_LINKS: z.enum(['private', 'public', 'presigned']).default('private'),
  /** In seconds; S3 signs nothing for longer than a week. */
  PRESIGNED_URL_EXPIRES_IN: integer(3_600, { min: 1, max: WEEK_S }),
  ESL_PIPELINE_MANIFEST_STORE: z.enum(['filesystem', 's3']).optional(),
  ESL_PIPELINE_MANIFEST_BUCKET: text,
  ESL_PIPELINE_MANIFEST_PREFIX: prefix,
  ESL_PIPELINE_MANIFEST_ROOT: text,
} as const;

export type StorageEnv = Readonly<z.infer<z.ZodObject<typeof storageEnv>>>;

export type S3Credentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
};

/** How to reach S3, or what speaks its language. */
export type S3Account = {
  readonly region: string;
  /** Null: AWS itself. */
  readonly endpoint: string | null;
  readonly forcePathStyle: boolean;
  /** Null: what the machine has, such as a role. */
  readonly credentials: S3Credentials | null;
};

/** How readers who do not come through the gateway reach an object. */
export type LinkPolicy = { readonly kind: 'private' | 'public' | 'presigned'; readonly seconds: number };

export type Place =
  | { readonly provider: 'filesystem'; readonly root: string }
  | { readonly provider: 's3'; readonly bucket: string; readonly prefix: string };

/** Where each kind of blob lies. */
export type Storage = {
  readonly account: S3Account;
  readonly links: LinkPolicy;
  readonly audio: Place;
  readonly manifests: Place;
  /** Lessons, pages, spoken segments. */
  readonly rest: Place;
  /** A bucket is named, but nothing says that it is to be used. */
  readonly isBucketIdle: boolean;
};

const fault = (message: string) => new InvalidEnvironment(`the environment has faults:\n  ${message}`);

const pair = (
  [idName, id]: readonly [string, string | undefined],
  [secretName, secret]: readonly [string, string | undefined],
): S3Credentials | null => {
  if (!id !== !secret)
    throw fault(`${id ? secretName : idName}: is needed beside ${id ? idName : secretName}`);
  return id && secret ? { accessKeyId: id, secretAccessKey: secret } : null;
};

const credentialsOf = (env: StorageEnv): S3Credentials | null => {
  const own = pair(
    ['S3_ACCESS_KEY_ID', env.S3_ACCESS_KEY_ID],
    ['S3_SECRET_ACCESS_KEY', env.S3_SECRET_ACCESS_KEY],
  );
  if (own) return own;
  const aws = pair(
    ['AWS_ACCESS_KEY_ID', env.AWS_ACCESS_KEY_ID],
    ['AWS_SECRET_ACCESS_KEY', env.AWS_SECRET_ACCESS_KEY],
  );
  return aws && { ...aws, ...(env.AWS_SESSION_TOKEN && { sessionToken: env.AWS_SESSION_TOKEN }) };
};

/** Reads the whole plan out of the environment. Throws InvalidEnvironment. */
export const storageOf = (env: StorageEnv): Storage => {
  const credentials = credentialsOf(env);
  const lessonBucket = env.S3_BUCKET_NAME ?? env.STORAGE_BUCKET_NAME ?? env.S3_BUCKET;
  const lessonPrefix = env.S3_PATH_PREFIX ?? env.STORAGE_PATH_PREFIX ?? env.S3_PREFIX ?? '';
  const provider = env.STORAGE_PROVIDER ?? (lessonBucket && credentials ? 's3' : 'filesystem');

  const folder = (own?: string): Place => {
    const root = own ?? env.BLOB_DIR ?? env.FILESYSTEM_UPLOAD_DIR;
    if (!root) throw fault('BLOB_DIR: is needed where files are kept on disk');
    return { provider: 'filesystem', root };
  };
  const bucket = (name: string | undefined, path: string): Place => {
    if (!name) throw fault('S3_BUCKET: is needed where files are kept in S3');
    return { provider: 's3', bucket: name, prefix: path };
  };
  const inS3 = provider === 's3';
  const manifestsInS3 = (env.ESL_PIPELINE_MANIFEST_STORE ?? provider) === 's3';
  return {
    account: {
      region: env.S3_REGION ?? env.AWS_REGION ?? 'us-east-1',
      endpoint: env.S3_ENDPOINT ?? null,
      forcePathStyle: env.S3_FORCE_PATH_STYLE,
      credentials,
    },
    links: { kind: env.S3_AUDIO_LINKS, seconds: env.PRESIGNED_URL_EXPIRES_IN },
    audio: inS3 ? bucket(env.S3_BUCKET ?? lessonBucket, env.S3_PREFIX ?? lessonPrefix) : folder(),
    manifests: manifestsInS3
      ? bucket(
          env.ESL_PIPELINE_MANIFEST_BUCKET ?? lessonBucket,
          env.ESL_PIPELINE_MANIFEST_PREFIX ?? lessonPrefix,
        )
      : folder(env.ESL_PIPELINE_MANIFEST_ROOT),
    rest: inS3 ? bucket(lessonBucket, lessonPrefix) : folder(),
    isBucketIdle: !inS3 && lessonBucket !== undefined && env.STORAGE_PROVIDER === undefined,
  };
};
