import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@esl/kit/testing/world';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../process-table.ts';
import { type Stack, type StackInfo, startStack } from '../stack.ts';

const standIn = () => [process.execPath, fileURLToPath(new URL('./stand-in.ts', import.meta.url))];

let home: string;
let stack: Stack;
const lines: string[] = [];
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'esl-stack-'));
  const log = (source: string, line: string) => void lines.push(`${source}: ${line}`);
  stack = await startStack({ home, port: 0, replicas: { worker: 2 }, command: standIn, log });
}, 120_000);
afterAll(async () => {
  await stack?.stop();
  await rm(home, { recursive: true, force: true });
});

const written = async () => JSON.parse(await readFile(join(home, 'stack.json'), 'utf8')) as StackInfo;

describe('a local stack', () => {
  it('says where everything is', async () => {
    const info = await written();
    expect(info).toEqual(stack.info());
    expect(Object.keys(info.services).sort()).toEqual([
      'actions',
      'config',
      'gateway',
      'jobs',
      'worker',
      'worker-2',
    ]);
    expect([info.nats.pid, info.mongo.pid, info.gateway.pid].every(isAlive)).toBe(true);
  });

  it('keeps its secret for itself', async () => {
    expect((await stat(join(home, 'secrets.json'))).mode & 0o777).toBe(0o600);
  });

  it('starts a process that died again, on the same address, and stack.json follows', async () => {
    const before = await written();
    process.kill(before.services.jobs?.pid ?? 0, 'SIGKILL');
    process.kill(before.nats.pid, 'SIGKILL');
    const after = await eventually(async () => {
      const now = await written();
      return now.services.jobs?.pid !== before.services.jobs?.pid && now.nats.pid !== before.nats.pid
        ? now
        : null;
    });
    expect(after.services.jobs?.grpc).toBe(before.services.jobs?.grpc);
    expect(after.nats.url).toBe(before.nats.url);
  });

  it('refuses a second stack in the same folder, and says who holds it', async () => {
    await expect(startStack({ home, port: 0, command: standIn })).rejects.toThrow(
      /runs in .* already \(process \d+\)/,
    );
  });

  it('refuses a port that is taken, and leaves nothing behind', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const other = join(home, 'other');
    await expect(startStack({ home: other, port, command: standIn })).rejects.toThrow(
      `port ${port} is taken`,
    );
    taken.close();
    const again = startStack({
      home: other,
      port,
      command: () => ['/no/such/program'],
      without: ['config', 'jobs', 'actions', 'worker', 'gateway'],
    });
    await (await again).stop();
  });

  it('stops what asks before what answers, and ends every process', async () => {
    const info = stack.info();
    await stack.stop();
    const order = lines.filter((line) => line.endsWith('asked to stop')).map((line) => line.split(':')[0]);
    expect(order.slice(0, 1)).toEqual(['gateway']);
    expect(order.slice(1, 3).sort()).toEqual(['worker', 'worker-2']);
    expect(order.slice(3)).toEqual(['actions', 'jobs', 'config']);
    const pids = [info.nats.pid, info.mongo.pid, ...Object.values(info.services).map(({ pid }) => pid)];
    expect(pids.filter(isAlive)).toEqual([]);
    await expect(written()).rejects.toThrow();
  });
});

describe('a folder that was used before', () => {
  it('is started again on other ports, with its data', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'esl-again-'));
    const options = {
      home: folder,
      port: 0,
      command: standIn,
      without: ['config', 'jobs', 'actions', 'worker', 'gateway'],
    };
    for (let time = 0; time < 2; time += 1) {
      const again = await startStack(options);
      await again.stop();
    }
    await rm(folder, { recursive: true, force: true });
  }, 90_000);
});

describe('a service that cannot start', () => {
  it('is named, with what it said', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'esl-broken-'));
    const command = () => [process.execPath, '-e', 'console.error("MONGODB_URL: missing"); process.exit(1)'];
    const start = startStack({
      home: folder,
      port: 0,
      command,
      without: ['jobs', 'actions', 'worker', 'gateway'],
    });
    await expect(start).rejects.toThrow(/config did not become ready: it ended\n.*MONGODB_URL: missing/);
    await rm(folder, { recursive: true, force: true });
  });
});
