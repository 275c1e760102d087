import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { LOCAL_VOICES } from './local-voices.ts';

describe('the voices of the local narrator', () => {
  it('are the ones that the catalog offers', async () => {
    const file = new URL('../../../../configs/local.voices.json', import.meta.url);
    const { voices } = JSON.parse(await readFile(file, 'utf8')) as {
      voices: { id: string; name: string; labels: object }[];
    };
    const offered = voices.map(({ id, name, labels }) => ({ id, name, labels }));
    expect(offered).toEqual(LOCAL_VOICES.map(({ id, name, labels }) => ({ id, name, labels })));
  });
});
