import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findServers } from './find-servers.ts';
import { buf, checkGenerated } from './generated-code.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const tool = (name: string, ...args: string[]) =>
  run(join(root, 'node_modules/.bin', name), args, { cwd: root, maxBuffer: 64 * 1024 * 1024 });

/** Every check but the specs, by the name it is reported under. */
const CHECKS: Readonly<Record<string, () => Promise<unknown>>> = {
  servers: () => findServers(),
  types: () => tool('tsc', '--noEmit'),
  'lint and format': () => tool('biome', 'ci', '.'),
  'protobuf lint': () => buf('lint'),
  'protobuf breaking': () => buf('breaking', '--against', 'release.binpb'),
  'generated code': checkGenerated,
};

const check = async ([name, work]: [string, () => Promise<unknown>]): Promise<boolean> => {
  const began = Date.now();
  const took = () => `${((Date.now() - began) / 1_000).toFixed(1)} s`;
  try {
    await work();
    console.log(`ok      ${name} (${took()})`);
    return true;
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string };
    console.log(`FAILED  ${name} (${took()})\n${stdout}${stderr}` || message);
    if (!stdout && !stderr) console.log(message);
    return false;
  }
};

type VitestReport = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly success: boolean;
};

const runSpecs = async (args: readonly string[]): Promise<{ passed: number; failed: number }> => {
  const folder = await mkdtemp(join(tmpdir(), 'esl-specs-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const vitest = spawn(join(root, 'node_modules/.bin/vitest'), ['run', ...reporters, ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  const code = await new Promise<number>((resolve) => vitest.once('exit', (status) => resolve(status ?? 1)));
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(await readFile(report, 'utf8')) as VitestReport;
    return { passed: numPassedTests, failed: numFailedTests || (code === 0 ? 0 : 1) };
  } catch {
    return { passed: 0, failed: 1 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const results: boolean[] = [];
const [servers, ...others] = Object.entries(CHECKS);
if (servers) results.push(await check(servers));
for (const pair of others) results.push(await check(pair));
const specs = results[0] ? await runSpecs(process.argv.slice(2)) : { passed: 0, failed: 0 };
const passed = results.filter(Boolean).length + specs.passed;
const failed = results.filter((ok) => !ok).length + specs.failed;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
