import { describe, expect, it } from 'vitest';
import { createLog } from './log.ts';
import { withContext } from './request-context.ts';

const logged = (write: (log: ReturnType<typeof createLog>) => void): string => {
  const lines: string[] = [];
  write(createLog('test', 'info', { write: (line) => void lines.push(line) }));
  return lines.join('');
};

describe('the log', () => {
  it('carries the ids of the request it was written in', () => {
    const line = logged((log) => withContext({ requestId: 'r-1' }, () => log.info('hello')));
    expect(JSON.parse(line)).toMatchObject({ service: 'test', requestId: 'r-1', msg: 'hello' });
  });

  it.each(['password', 'accessToken', 'access_token', 'authorization', 'elevenLabsKey'])(
    'never shows %s',
    (key) => {
      const line = logged((log) =>
        log.info({ [key]: 's3cret', body: { [key]: 's3cret' }, a: { b: { [key]: 's3cret' } } }),
      );
      expect(line).not.toContain('s3cret');
    },
  );
});
