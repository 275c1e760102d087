import { BlobStoreFault, type BlobStoreFaultCode } from './blob-store.ts';

/** What S3 and what speaks its language call it (AWS: API reference, error responses; MinIO: cmd/api-errors.go). */
const CODES: Readonly<Record<string, BlobStoreFaultCode>> = {
  AccessControlListNotSupported: 'denied',
  AccessDenied: 'denied',
  AccountProblem: 'denied',
  AllAccessDisabled: 'denied',
  AuthorizationHeaderMalformed: 'denied',
  CredentialsProviderError: 'denied',
  ExpiredToken: 'denied',
  InvalidAccessKeyId: 'denied',
  InvalidToken: 'denied',
  MethodNotAllowed: 'denied',
  NotImplemented: 'denied',
  RequestTimeTooSkewed: 'denied',
  SignatureDoesNotMatch: 'denied',
  InvalidBucketName: 'no_bucket',
  NoSuchBucket: 'no_bucket',
  PermanentRedirect: 'no_bucket',
  EntityTooLarge: 'full',
  InsufficientCapacity: 'full',
  QuotaExceeded: 'full',
  XMinioAdminBucketQuotaExceeded: 'full',
  XMinioStorageFull: 'full',
};

/** For answers without a body, such as those to HEAD. */
const STATUSES: Readonly<Record<number, BlobStoreFaultCode>> = {
  301: 'no_bucket',
  400: 'denied',
  401: 'denied',
  403: 'denied',
  507: 'full',
};

type S3Error = {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
};

export const statusOf = (error: unknown): number => (error as S3Error).$metadata?.httpStatusCode ?? 0;
export const nameOf = (error: unknown): string => (error as S3Error).name ?? '';

/** What an error of the S3 client means. */
export const toFault = (error: unknown): BlobStoreFault => {
  if (error instanceof BlobStoreFault) return error;
  const code = CODES[nameOf(error)] ?? STATUSES[statusOf(error)] ?? 'unavailable';
  return new BlobStoreFault(code, { cause: error });
};

/** No such object. A missing bucket looks the same to HEAD, whose answers have no body. */
export const isMissing = (error: unknown): boolean =>
  nameOf(error) === 'NoSuchKey' || (statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket');
