import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Found } from './find-servers.ts';
import { freePort } from './ports.ts';
import { keptElsewhere, type Server, startProgram } from './server.ts';

/** Resolves when a NATS server greets with its INFO line, and has JetStream. */
const greets = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    const fail = () => {
      socket.destroy();
      reject(new Error('no greeting'));
    };
    socket.once('data', (data) => {
      socket.destroy();
      const text = data.toString('latin1');
      if (text.startsWith('INFO') && text.includes('"jetstream":true')) resolve();
      else fail();
    });
    socket.once('error', fail);
    socket.once('timeout', fail);
    socket.once('close', fail);
  });

/** One nats-server with JetStream on loopback; its data stay in `storeDir`. */
export const startNatsServer = async (
  found: Found,
  options: { storeDir: string; port?: number },
): Promise<Server> => {
  if ('url' in found) return keptElsewhere(found.url);
  if ('container' in found) {
    const { NatsContainer } = await import('@testcontainers/nats');
    const container = await new NatsContainer(found.container).withJetStream().start();
    const { servers, user, pass } = container.getConnectionOptions();
    const stop = async () => void (await container.stop());
    return {
      url: `nats://${user}:${pass}@${servers}`,
      pid: 0,
      exited: new Promise(() => {}),
      stop,
      kill: stop,
    };
  }
  await mkdir(options.storeDir, { recursive: true });
  const port = options.port ?? (await freePort());
  const args = [
    '--jetstream',
    '--store_dir',
    options.storeDir,
    '--addr',
    '127.0.0.1',
    '--port',
    String(port),
  ];
  return startProgram(found.binary, args, {
    url: `nats://127.0.0.1:${port}`,
    logFile: `${options.storeDir}.log`,
    ready: () => greets(port),
  });
};
