import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  arch,
  download,
  type Environment,
  findProgram,
  goInstall,
  inTemporaryFolder,
  onPath,
  platform,
  unpack,
} from '@esl/local/fetch-program';
import { parseAllDocuments } from 'yaml';

const run = promisify(execFile);

const VERSION = '5.7.1';
const RUN_MS = 60_000;
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;
const deploy = fileURLToPath(new URL('../', import.meta.url));

/** One Kubernetes object, as rendered. */
export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [field: string]: unknown;
};

const KUSTOMIZE = {
  name: 'kustomize',
  check: async (binary: string) => void (await run(binary, ['version'], { timeout: RUN_MS })),
  fetchers: {
    'the release on GitHub': (into: string) =>
      inTemporaryFolder(into, async (folder) => {
        const base = `https://github.com/kubernetes-sigs/kustomize/releases/download/kustomize%2Fv${VERSION}`;
        const archive = join(folder, 'kustomize.tar.gz');
        const file = `kustomize_v${VERSION}_${platform}_${arch}.tar.gz`;
        await download(`${base}/${file}`, `${base}/checksums.txt`, archive);
        await unpack(archive, folder, 'kustomize', into);
      }),
    'go install': goInstall(`sigs.k8s.io/kustomize/kustomize/v5@v${VERSION}`, 'kustomize'),
  },
};

/** kubectl has kustomize inside. */
const kubectl = async (environment: Environment) => {
  const file = onPath('kubectl', environment);
  if (!file) throw new Error('not there');
  await run(file, ['kustomize', '--help'], { timeout: RUN_MS });
  return { kubectl: file };
};

/** The command that renders a folder: a kustomize of its own, or kubectl's. */
export const findKustomize = async (environment: Environment = process.env): Promise<readonly string[]> => {
  const found = await findProgram(
    KUSTOMIZE,
    {
      advice: 'Put kustomize 5 or kubectl on the PATH.',
      beforeFetching: { kubectl: () => kubectl(environment) },
    },
    environment,
  );
  return 'binary' in found ? [found.binary, 'build'] : [found.kubectl, 'kustomize'];
};

/** Every object of one folder under deploy/. */
export const render = async (
  [program = '', ...args]: readonly string[],
  folder: string,
): Promise<readonly KubernetesObject[]> => {
  const { stdout } = await run(program, [...args, join(deploy, folder)], {
    timeout: RUN_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  return parseAllDocuments(stdout).map((document) => document.toJS() as KubernetesObject);
};
