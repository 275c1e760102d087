import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ProgramNotFound } from '../fetch-program.ts';
import { findServers } from '../find-servers.ts';

const folder = await mkdtemp(join(tmpdir(), 'esl-find-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const program = async (name: string, version: string) => {
  const bin = join(folder, version);
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, name), `#!/bin/sh\necho "${name}: v${version}"\n`);
  await chmod(join(bin, name), 0o755);
  return bin;
};

describe('finding the servers', () => {
  it('takes the addresses it is given', async () => {
    const found = await findServers({ NATS_URL: 'nats://n:4222', MONGODB_URL: 'mongodb://m' });
    expect(found).toEqual({ nats: { url: 'nats://n:4222' }, mongo: { url: 'mongodb://m' } });
  });

  it('takes a program on the PATH that is new enough', async () => {
    const bin = await program('nats-server', '2.11.0');
    const { nats } = await findServers({ PATH: `${bin}:/usr/bin:/bin`, MONGODB_URL: 'mongodb://m' });
    expect(nats).toEqual({ binary: join(bin, 'nats-server') });
  });

  it('passes over one that is too old, and says all that it tried when nothing is left', async () => {
    const bin = await program('nats-server', '2.10.4');
    const find = findServers({ PATH: bin, ESL_CACHE: join(folder, 'cache'), MONGODB_URL: 'mongodb://m' });
    await expect(find).rejects.toBeInstanceOf(ProgramNotFound);
    await expect(find).rejects.toThrow(/PATH: .* is 2\.10, at least 2\.11 is needed/);
    await expect(find).rejects.toThrow(
      /cache: not there\n {2}Docker: .*\n {2}the release on GitHub: .*\n {2}go install: /,
    );
  }, 60_000);
});
