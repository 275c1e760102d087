import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lock } from './lock.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What decides the contents of node_modules: any change in one of these asks for an install. */
const INPUTS = [
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'package.json',
  'contracts/package.json',
  'deploy/local/package.json',
  'services/*/package.json',
];

const fingerprint = (root: string): string => {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  for (const file of globSync(INPUTS, { cwd: root }).sort()) {
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
};

const pnpmInstall = (root: string): Promise<{ ok: boolean; output: string }> =>
  new Promise((resolve) => {
    const child = spawn('pnpm', ['install', '--frozen-lockfile', '--reporter=append-only'], {
      cwd: root,
      env: { ...process.env, CI: 'true' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-16_384);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => resolve({ ok: false, output: `pnpm could not be run: ${error.message}` }));
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });

/** Brings node_modules in line with the lockfile. False when that failed; the cause has then been printed. */
export const installDependencies = async (root: string = ROOT): Promise<boolean> => {
  const marker = join(root, 'node_modules/.installed');
  const upToDate = () => existsSync(marker) && readFileSync(marker, 'utf8') === fingerprint(root);
  if (upToDate()) return true;
  const held = await lock(join(root, '.esl/install.lock'), (pid) =>
    console.error(`waiting for another install (process ${pid})`),
  );
  try {
    if (upToDate()) return true;
    console.error('installing dependencies');
    const { ok, output } = await pnpmInstall(root);
    if (ok) writeFileSync(marker, fingerprint(root));
    else console.error(`${output.trimEnd()}\n\ndependencies could not be installed; the cause is above`);
    return ok;
  } finally {
    held.release();
  }
};
