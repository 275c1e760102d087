import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findProgram, goInstall, onPath } from '@esl/local/fetch-program';
import { describe, expect, it } from 'vitest';
import { findKustomize, type KubernetesObject, render } from './kustomize.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const RUN_MS = 60_000;
const FETCH_MS = 600_000;

/** The language of Tiltfiles, as Tilt embeds it. */
const STARLARK = {
  name: 'starlark',
  check: async (binary: string) => void (await run(binary, ['-c', 'print(1)'], { timeout: RUN_MS })),
  fetchers: {
    'go install': goInstall('go.starlark.net/cmd/starlark@v0.0.0-20260708150628-5395d018f003', 'starlark'),
  },
};

type Call = {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly named: Record<string, unknown>;
};

/** Tilt's functions, which write down how they were called, with arguments that Tilt knows: another one is a fault. */
const TILT: Readonly<Record<string, readonly string[]>> = {
  default_registry: ['host'],
  docker_build: ['ref', 'context', 'dockerfile', 'target', 'build_args', 'live_update'],
  fall_back_on: ['files'],
  sync: ['local_path', 'remote_path'],
  k8s_yaml: ['yaml'],
  k8s_resource: ['workload', 'labels', 'resource_deps', 'port_forwards', 'links'],
  port_forward: ['local_port', 'container_port', 'name'],
  link: ['url', 'name'],
  local_resource: ['name', 'cmd', 'labels', 'auto_init', 'trigger_mode', 'resource_deps'],
};

const prelude = (objects: readonly KubernetesObject[], settings: Readonly<Record<string, string>>) => `
CALLS = []
OBJECTS = json.decode(${JSON.stringify(JSON.stringify(objects))})
TRIGGER_MODE_MANUAL = 'manual'
def _decode_yaml_stream(text): return OBJECTS
def _kustomize(path): return path
def _encode_yaml_stream(objects): return objects
kustomize, decode_yaml_stream, encode_yaml_stream = _kustomize, _decode_yaml_stream, _encode_yaml_stream
def _define_string(name, usage = ''): pass
config_define_string = _define_string
config_parse = lambda: ${JSON.stringify(settings)}
${Object.entries(TILT)
  .map(
    ([name, parameters]) => `
def ${name}(*args, **named):
    for one in named:
        if one not in ${JSON.stringify(parameters)}: fail('${name} has no ' + one)
    CALLS.append({'name': '${name}', 'args': args, 'named': named})
    return '${name}'
`,
  )
  .join('')}
`;

/** Runs the Tiltfile as Starlark, and answers what it asked of Tilt. */
const load = async (settings: Readonly<Record<string, string>> = {}): Promise<readonly Call[]> => {
  const { binary } = await findProgram<{ binary: string }>(
    STARLARK,
    { advice: 'Put starlark or go on the PATH.', beforeFetching: {} },
    process.env,
  );
  const folder = await mkdtemp(join(tmpdir(), 'esl-tiltfile-'));
  try {
    const objects = await render(await findKustomize(), 'overlays/local');
    const file = join(folder, 'Tiltfile');
    // Plain Starlark has no objects with functions in them.
    const text = (await readFile(join(root, 'Tiltfile'), 'utf8')).replaceAll('config.', 'config_');
    await writeFile(file, `${prelude(objects, settings)}\n${text}\nprint(json.encode(CALLS))\n`);
    // What Tilt allows, too: statements at the top level.
    const { stderr } = await run(binary, ['-globalreassign', file], { timeout: RUN_MS, maxBuffer: 32 << 20 });
    return JSON.parse(stderr.slice(stderr.indexOf('['))) as readonly Call[];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

describe('the Tiltfile', { timeout: FETCH_MS }, () => {
  it('builds one image with live update, and has every workload, in the order that they need each other', async () => {
    const calls = await load();
    const called = (name: string) => calls.filter((call) => call.name === name);
    expect(called('docker_build')[0]?.args[0]).toBe('esl-pipeline');
    expect(called('sync').map(({ args }) => args[1])).toContain('/app/services');
    const resources = called('k8s_resource').map(({ args }) => args[0]);
    expect(new Set(resources)).toEqual(
      new Set(['nats', 'mongodb', 'config', 'jobs', 'actions', 'worker', 'gateway']),
    );
    for (const { args, named } of called('k8s_resource')) {
      for (const dependency of (named.resource_deps ?? []) as string[]) {
        expect(resources.indexOf(dependency), `${dependency} before ${args[0]}`).toBeLessThan(
          resources.indexOf(args[0]),
        );
      }
    }
    expect(called('local_resource').every(({ named }) => named.auto_init === false)).toBe(true);
    expect(called('default_registry')).toEqual([]);
  });

  it('pushes to the registry that it is given', async () => {
    const calls = await load({ registry: 'registry.example.com/me' });
    expect(calls.find(({ name }) => name === 'default_registry')?.args).toEqual(['registry.example.com/me']);
  });

  it.runIf(onPath('tilt', process.env))('is understood by Tilt', async () => {
    const { stdout } = await run('tilt', ['alpha', 'tiltfile-result'], { cwd: root, timeout: RUN_MS });
    expect(JSON.parse(stdout)).toMatchObject({ Error: null });
  });
});
