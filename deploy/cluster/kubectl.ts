import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How long a rollout and the end of what it replaced may take, in ms. */
const ROLL_MS = 300_000;
const POLL_MS = 500;
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;

export const kubectl = async (...args: readonly string[]): Promise<string> =>
  (await run('kubectl', args, { maxBuffer: MAX_OUTPUT_BYTES, timeout: ROLL_MS })).stdout.trim();

type Pod = {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
};

const podsOf = async (namespace: string, selector: string): Promise<readonly Pod[]> =>
  (
    JSON.parse(await kubectl('-n', namespace, 'get', 'pods', '-l', selector, '-o', 'json')) as {
      items: Pod[];
    }
  ).items;

export const deploymentsOf = async (namespace: string): Promise<readonly string[]> =>
  (await kubectl('-n', namespace, 'get', 'deployments', '-o', 'name'))
    .split('\n')
    .map((line) => line.slice('deployment.apps/'.length));

/** Restarts Deployments and resolves when the new pods are ready and the old ones are gone. */
export const roll = async (namespace: string, names: readonly string[]): Promise<void> => {
  const targets = names.map((name) => `deployment/${name}`);
  await kubectl('-n', namespace, 'rollout', 'restart', ...targets);
  for (const target of targets)
    await kubectl('-n', namespace, 'rollout', 'status', target, `--timeout=${ROLL_MS / 1_000}s`);
  const selector = `app.kubernetes.io/name in (${names.join(',')})`;
  const deadline = Date.now() + ROLL_MS;
  while ((await podsOf(namespace, selector)).some(({ metadata }) => metadata.deletionTimestamp)) {
    if (Date.now() > deadline) throw new Error(`old pods of ${names.join(', ')} did not end`);
    await delay(POLL_MS);
  }
};

/** How often containers of the whole system were started again so far. */
export const restartsOf = async (namespace: string): Promise<number> =>
  (await podsOf(namespace, 'app.kubernetes.io/part-of=esl-pipeline'))
    .flatMap(({ status }) => status.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
