import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readEnv } from './env.ts';
import { storageEnv, storageOf } from './storage-env.ts';

const read = (env: Record<string, string>) => storageOf(readEnv(z.object(storageEnv), env));
const keys = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'hush' };

describe('where blobs lie', () => {
  it('is a folder, unless a bucket and both keys are there', () => {
    const folder = { provider: 'filesystem', root: '/blobs' };
    for (const env of [
      {},
      { S3_BUCKET: 'b' },
      keys,
      { ...keys, S3_BUCKET: 'b', STORAGE_PROVIDER: 'filesystem' },
    ])
      expect(read({ BLOB_DIR: '/blobs', ...env })).toMatchObject({
        audio: folder,
        manifests: folder,
        rest: folder,
      });
    expect(read({ ...keys, S3_BUCKET: 'b' })).toMatchObject({
      audio: { provider: 's3', bucket: 'b', prefix: '' },
      manifests: { provider: 's3', bucket: 'b' },
      rest: { provider: 's3', bucket: 'b' },
    });
    expect(read({ STORAGE_PROVIDER: 's3', S3_BUCKET: 'b' }).account.credentials).toBeNull();
  });

  it('may be one bucket for audio and another for lessons and manifests', () => {
    expect(
      read({
        ...keys,
        S3_BUCKET: 'sound',
        S3_PREFIX: '/audio/assignments/',
        STORAGE_BUCKET_NAME: 'texts',
        STORAGE_PATH_PREFIX: 'school',
        ESL_PIPELINE_MANIFEST_BUCKET: 'made',
      }),
    ).toMatchObject({
      audio: { bucket: 'sound', prefix: 'audio/assignments' },
      rest: { bucket: 'texts', prefix: 'school' },
      manifests: { bucket: 'made', prefix: 'school' },
    });
  });

  it('may differ for manifests alone', () => {
    const split = { ...keys, S3_BUCKET: 'b', BLOB_DIR: '/blobs' };
    expect(read({ ...split, ESL_PIPELINE_MANIFEST_STORE: 'filesystem' })).toMatchObject({
      audio: { provider: 's3' },
      manifests: { provider: 'filesystem', root: '/blobs' },
    });
    const other = { STORAGE_PROVIDER: 'filesystem', ESL_PIPELINE_MANIFEST_STORE: 's3' };
    expect(read({ ...split, ...other })).toMatchObject({
      audio: { provider: 'filesystem' },
      manifests: { provider: 's3', bucket: 'b' },
    });
  });

  it('is reached with the names of S3 before those of AWS', () => {
    const own = { S3_ACCESS_KEY_ID: 'MINE', S3_SECRET_ACCESS_KEY: 'own', S3_REGION: 'eu-west-3' };
    expect(read({ ...keys, ...own, S3_BUCKET: 'b', AWS_REGION: 'us-west-2' }).account).toEqual({
      region: 'eu-west-3',
      endpoint: null,
      forcePathStyle: false,
      credentials: { accessKeyId: 'MINE', secretAccessKey: 'own' },
    });
    expect(
      read({ ...keys, S3_BUCKET: 'b', AWS_REGION: 'us-west-2', AWS_SESSION_TOKEN: 't' }).account,
    ).toMatchObject({
      region: 'us-west-2',
      credentials: { sessionToken: 't' },
    });
  });

  it.each([
    [{ STORAGE_PROVIDER: 's3' }, /S3_BUCKET: is needed/],
    [{}, /BLOB_DIR: is needed/],
    [{ BLOB_DIR: '/b', S3_ACCESS_KEY_ID: 'AKIA' }, /S3_SECRET_ACCESS_KEY: is needed beside S3_ACCESS_KEY_ID/],
    [{ BLOB_DIR: '/b', AWS_SECRET_ACCESS_KEY: 'hush' }, /AWS_ACCESS_KEY_ID: is needed/],
    [{ BLOB_DIR: '/b', PRESIGNED_URL_EXPIRES_IN: '604801' }, /PRESIGNED_URL_EXPIRES_IN/],
    [{ BLOB_DIR: '/b', S3_ENDPOINT: 'ftp://x' }, /S3_ENDPOINT/],
  ])('must be said completely: %j', (env, message) => {
    expect(() => read(env)).toThrow(message);
    expect(() => read(env)).not.toThrow(/hush/);
  });
});
