// `admin.ts create EMAIL`: the first administrator of a database (MONGODB_URL, MONGODB_DB). The password is in
// ADMIN_PASSWORD (or ADMIN_PASSWORD_FILE), or asked for.

import { stdin, stdout } from 'node:process';
import { createInterface } from 'node:readline/promises';
import { InvalidEnvironment, mongoEnv, readEnv } from '@esl/kit/env';
import { z } from 'zod';
import { CannotCreateAdmin, createAdmin } from './create-admin.ts';

const environment = z.object({ ...mongoEnv, ADMIN_PASSWORD: z.string().optional() });

/** What is typed is not shown. */
const askPassword = async (): Promise<string> => {
  if (!stdin.isTTY) throw new CannotCreateAdmin('set ADMIN_PASSWORD, or run this in a terminal');
  stdout.write('password: ');
  const line = createInterface({ input: stdin, terminal: true });
  try {
    return await line.question('');
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
    throw new CannotCreateAdmin('no password was typed: there is no new administrator'); // Ctrl-C, Ctrl-D
  } finally {
    line.close();
    stdout.write('\n');
  }
};

const [command, email, ...rest] = process.argv.slice(2);
try {
  if (command !== 'create' || !email || rest.length > 0)
    throw new CannotCreateAdmin('usage: admin create EMAIL');
  const { MONGODB_URL, MONGODB_DB, ADMIN_PASSWORD } = readEnv(environment, process.env);
  const password = ADMIN_PASSWORD ?? (await askPassword());
  const created = await createAdmin({ url: MONGODB_URL, database: MONGODB_DB }, { email, password });
  console.log(`${created} is an administrator now`);
} catch (error) {
  if (!(error instanceof CannotCreateAdmin || error instanceof InvalidEnvironment)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
