import { type AdminServer, startAdminServer } from './admin-server.ts';
import { InvalidEnvironment } from './env.ts';
import { createLog, type Log } from './log.ts';
import { type StopStep, shutDown } from './shut-down.ts';
import { startTracing } from './telemetry.ts';

/** What every service's configuration holds (env.ts, `commonEnv`). */
export type ServiceConfig = {
  readonly LOG_LEVEL: string;
  readonly BIND_HOST: string;
  readonly ADMIN_PORT: number;
  /** Exit when standard input ends, so that a killed parent leaves no orphan. */
  readonly EXIT_WITH_PARENT: boolean;
};

export type Boot<C> = { readonly config: C; readonly log: Log };

export type Running = {
  /** Each dependency's check; /readyz answers 200 only while all of them resolve. */
  readonly ready: Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>>;
  readonly stop: readonly StopStep[];
};

/**
 * Boots a service process and keeps it until SIGINT or SIGTERM. `/livez` answers from the start, `/readyz` once
 * `start` has resolved. Exits 0 after an ordered stop, 1 when start fails or a fault escapes.
 */
export const runService = async <C extends ServiceConfig>(
  name: string,
  loadConfig: (env: NodeJS.ProcessEnv) => C,
  start: (boot: Boot<C>) => Promise<Running>,
): Promise<void> => {
  let log: Log | undefined;
  let admin: AdminServer | undefined;
  const asked = Promise.withResolvers<string>();
  const stopOn = (reason: string) => () => asked.resolve(reason);
  process.once('SIGTERM', stopOn('SIGTERM'));
  process.once('SIGINT', stopOn('SIGINT'));
  process.on('uncaughtException', (error) => {
    log?.fatal({ err: error }, 'a fault escaped');
    process.exit(1);
  });
  try {
    const config = loadConfig(process.env);
    log = createLog(name, config.LOG_LEVEL);
    if (config.EXIT_WITH_PARENT) process.stdin.resume().once('end', stopOn('parent ended'));
    admin = await startAdminServer({ host: config.BIND_HOST, port: config.ADMIN_PORT });
    const tracing = await startTracing(name, process.env);
    const boot = start({ config, log });
    const early = await Promise.race([boot.then(() => null), asked.promise]);
    if (early) process.exit(0);
    const running = await boot;
    admin.check(running.ready);
    log.info({ adminUrl: admin.url }, 'ready');
    const reason = await asked.promise;
    log.info({ reason }, 'stopping');
    admin.leaveRotation();
    await shutDown([...running.stop, ...tracing, { name: 'admin', withinMs: 500, run: admin.close }], log);
    log.info('stopped');
    process.exit(0);
  } catch (error) {
    if (error instanceof InvalidEnvironment) console.error(error.message);
    else if (log) log.fatal({ err: error }, 'could not start');
    else console.error(error);
    process.exit(1);
  }
};
