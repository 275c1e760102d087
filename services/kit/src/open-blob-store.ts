import { type BlobStore, filesystemBlobStore } from './blob-store.ts';
import type { Log } from './log.ts';
import { type Place, type StorageEnv, storageOf } from './storage-env.ts';

/** Several stores as one: the first segment of a key says which. */
export const routedBlobStore = (
  byFirstSegment: ReadonlyMap<string, BlobStore>,
  rest: BlobStore,
): BlobStore => {
  const storeOf = (key: string) => byFirstSegment.get(key.slice(0, key.indexOf('/'))) ?? rest;
  return {
    put: (key, ...how) => storeOf(key).put(key, ...how),
    get: (key, signal) => storeOf(key).get(key, signal),
    head: (key, signal) => storeOf(key).head(key, signal),
    read: (key, range, signal) => storeOf(key).read(key, range, signal),
    delete: (key, signal) => storeOf(key).delete(key, signal),
    urlFor: (key, signal) => storeOf(key).urlFor(key, signal),
    providerOf: (key) => storeOf(key).providerOf(key),
  };
};

/** The blob store that the environment describes. Throws InvalidEnvironment. */
export const openBlobStore = async (env: StorageEnv, log: Log): Promise<BlobStore> => {
  const { account, links, audio, manifests, rest, isBucketIdle } = storageOf(env);
  if (isBucketIdle) log.warn('a bucket is named without keys: files stay here unless STORAGE_PROVIDER=s3');
  const places = [audio, manifests, rest];
  // 36 MB and 90 ms, which a process without S3 is spared.
  const s3 = places.some(({ provider }) => provider === 's3') ? await import('./s3-blob-store.ts') : null;
  const client = s3?.connectS3(account);
  const open = (place: Place): BlobStore => {
    if (place.provider === 'filesystem') return filesystemBlobStore(place.root);
    if (!s3 || !client) throw new Error('S3 was not loaded');
    return s3.s3BlobStore(client, { ...place, links, log });
  };
  log.info({ audio, manifests, rest, ...(client && { endpoint: account.endpoint }) }, 'blob store');
  return routedBlobStore(
    new Map([
      ['audio', open(audio)],
      ['manifests', open(manifests)],
    ]),
    open(rest),
  );
};
