import { expect, it } from 'vitest';
import { readEventId } from './position.ts';

it('reads the event ids that it gave, and nothing else', () => {
  expect(readEventId('mf3k2a9c-4711')).toEqual({ epoch: 'mf3k2a9c', seq: 4711 });
  for (const text of ['', '-', '4711', 'a-', '-1', 'A-1', 'a-1-2', 'a-1x', 'a-1\n', `a-${'9'.repeat(16)}`])
    expect(readEventId(text)).toBeNull();
});
