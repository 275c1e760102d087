import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { flag, InvalidEnvironment, integer, readEnv } from './env.ts';

const schema = z.object({ URL: z.url(), LIMIT: integer(5, { min: 1, max: 9 }), ON: flag(false) });

describe('reading the environment', () => {
  it('fills what is unset or empty with defaults, and freezes the result', () => {
    const config = readEnv(schema, { URL: 'http://a', LIMIT: '', OTHER: 'x' });
    expect(config).toEqual({ URL: 'http://a', LIMIT: 5, ON: false });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it.each(['1', 'true', 'TRUE'])('takes %s for true', (text) => {
    expect(readEnv(schema, { URL: 'http://a', ON: text }).ON).toBe(true);
  });

  it('names every faulty variable at once and shows no value', () => {
    const read = () => readEnv(schema, { URL: 'p4ssw0rd', LIMIT: '12x' });
    expect(read).toThrow(InvalidEnvironment);
    expect(read).toThrow(/URL: .*\n.*LIMIT: must be a whole number/);
    expect(read).not.toThrow(/p4ssw0rd/);
  });

  it('reads a variable from the file that <NAME>_FILE names, unless it is set itself', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'esl-env-'));
    const file = join(folder, 'url');
    await writeFile(file, 'http://mounted\n');
    expect(readEnv(schema, { URL_FILE: file }).URL).toBe('http://mounted');
    expect(readEnv(schema, { URL: 'http://a', URL_FILE: file }).URL).toBe('http://a');
    expect(() => readEnv(schema, { URL_FILE: join(folder, 'gone') })).toThrow(/URL_FILE: cannot be read/);
    await rm(folder, { recursive: true });
  });
});
