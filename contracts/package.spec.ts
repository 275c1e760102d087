import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));

const CONSUMER = `
import { create, toBinary } from '@bufbuild/protobuf';
import { jobEventSchema, type ActionCapability, type JobActionRequest, type JobActionResponse, type JobActionType } from '@esl-pipeline/contracts';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { JobCreatedSchema } from '@esl-pipeline/contracts/esl/events/v1/job_events';
import { submitJobSchema } from '@esl-pipeline/contracts/http/submit-job';

const type: JobActionType = 'cancel';
const request: JobActionRequest = { type, payload: { reason: 'x' } };
const shapes: [ActionCapability?, JobActionResponse?] = [];
const bytes = toBinary(JobCreatedSchema, create(JobCreatedSchema, { jobId: 'a' }));
console.log(JSON.stringify([
  request.type, shapes.length, bytes.length, CHANNELS.jobCreated.subject('a'),
  submitJobSchema.safeParse({ md: '' }).success, jobEventSchema.safeParse({}).success,
]));
`;

describe('the published package', () => {
  it('can be installed and used by a TypeScript project of its own', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'contracts-'));
    try {
      await run('pnpm', ['pack', '--pack-destination', folder], { cwd: here });
      const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? '';
      await writeFile(join(folder, 'package.json'), '{"name":"consumer","private":true,"type":"module"}');
      await writeFile(join(folder, 'main.ts'), CONSUMER);
      await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball}`], {
        cwd: folder,
      });
      const tsc = join(here, 'node_modules/.bin/tsc');
      const options = [
        '--module',
        'nodenext',
        '--target',
        'es2022',
        '--strict',
        '--lib',
        'es2023,dom',
        '--types',
        '',
      ];
      await run(tsc, [...options, '--outDir', 'out', 'main.ts'], { cwd: folder });
      const { stdout } = await run(process.execPath, ['out/main.js'], { cwd: folder });
      expect(JSON.parse(stdout)).toEqual(['cancel', 0, 3, 'job.created.a', false, false]);
    } finally {
      await rm(folder, { recursive: true, force: true });
      await rm(join(here, 'dist'), { recursive: true, force: true });
    }
  }, 120_000);
});
