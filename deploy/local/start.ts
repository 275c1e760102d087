import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { launcherGone } from './process-table.ts';
import { CannotStart, SERVICES, type ServiceName, startStack } from './stack.ts';

const COLOURS: Readonly<Record<string, number>> = {
  config: 33,
  jobs: 36,
  actions: 35,
  worker: 32,
  gateway: 34,
};

const isService = (name: string): name is ServiceName => (SERVICES as readonly string[]).includes(name);

const fail = (message: string): never => {
  console.error(message);
  process.exit(1);
};

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { without: { type: 'string', multiple: true }, replicas: { type: 'string', multiple: true } },
});
const without = values.without ?? [];
const replicas = Object.fromEntries(
  (values.replicas ?? []).map((text) => {
    const [name = '', count] = text.split('=');
    const wanted = Number(count);
    if (!isService(name) || name === 'gateway' || !Number.isInteger(wanted) || wanted < 1 || wanted > 20) {
      fail(
        `--replicas takes name=N, one of ${SERVICES.filter((one) => one !== 'gateway').join(', ')} and 1 to 20; not ${text}`,
      );
    }
    return [name, wanted];
  }),
);
const unknown = without.find((name) => !isService(name));
if (unknown !== undefined) fail(`--without takes one of ${SERVICES.join(', ')}, not ${unknown}`);
const port = Number(process.env.PORT || process.env.BATCH_BACKEND_HTTP_PORT || 8080);
if (!Number.isInteger(port) || port < 0 || port > 65_535) fail('PORT must be a whole number from 0 to 65535');

const log = (source: string, line: string) => {
  const colour = COLOURS[source.split('-')[0] ?? ''];
  const name = source.padEnd(8);
  console.log(`${process.stdout.isTTY && colour ? `\u001b[${colour}m${name}\u001b[0m` : name} | ${line}`);
};

const asked = Promise.withResolvers<void>();
// One Ctrl-C may arrive several times: npm hands on what the terminal sends to everyone.
process.on('SIGINT', () => asked.resolve());
process.on('SIGTERM', () => asked.resolve());
void launcherGone().then(asked.resolve);
// Ctrl-C also ends what we are piped into, as in `npm start | tee log`: a line that nobody reads must not end us midway.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => asked.resolve());

const stopping = new AbortController();
void asked.promise.then(() => stopping.abort(new Error('asked to stop')));
try {
  const home = resolve(process.env.ESL_HOME ?? '.esl');
  const stack = await startStack({ home, port, without, replicas, log, signal: stopping.signal });
  console.log(`ready: ${stack.info().gateway.url}`);
  await asked.promise;
  await stack.stop();
  process.exit(0);
} catch (error) {
  if (stopping.signal.aborted) process.exit(0);
  fail(error instanceof CannotStart ? error.message : String((error as Error).stack));
}
