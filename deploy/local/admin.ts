import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { StackInfo } from './stack.ts';

/** The database of the stack that runs here, unless the environment names another. */
if (!process.env.MONGODB_URL) {
  const home = resolve(process.env.ESL_HOME ?? '.esl');
  const text = await readFile(join(home, 'stack.json'), 'utf8').catch(() => null);
  if (text === null) {
    console.error(`nothing runs in ${home}: start it with npm start, or set MONGODB_URL`);
    process.exit(1);
  }
  process.env.MONGODB_URL = (JSON.parse(text) as StackInfo).mongo.url;
  process.env.MONGODB_DB = 'esl';
}
await import('../../services/gateway/src/admin.ts');
