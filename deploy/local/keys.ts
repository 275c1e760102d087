import { readFile, rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { newSigningKey } from '../../services/gateway/src/accounts/new-signing-key.ts';

// `keys FILE [--keep N]`: puts a new key to sign with before those that are in the file, and keeps N of them, so that
// tokens signed yesterday still verify. The gateway reads it by JWT_KEYS_FILE.

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { keep: { type: 'string', default: '2' } },
});
const [name] = positionals;
const keep = Number(values.keep);
if (!name || positionals.length > 1 || !Number.isInteger(keep) || keep < 0 || keep > 19) {
  console.error('usage: npm run keys -- FILE [--keep N]   (N older keys stay valid, 2 by default)');
  process.exit(1);
}
const file = resolve(name);
const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
  if (error.code === 'ENOENT') return '{"keys":[]}';
  throw error;
});
const { keys: older } = JSON.parse(text) as { keys: { kid: string }[] };
const keys = [newSigningKey(), ...older.slice(0, keep)];
await writeFile(`${file}.new`, `${JSON.stringify({ keys }, null, 2)}\n`, { mode: 0o600 });
await rename(`${file}.new`, file);
console.log(
  `${file}: ${keys.map(({ kid }, at) => (at === 0 ? `${kid} signs` : `${kid} is still valid`)).join(', ')}`,
);
