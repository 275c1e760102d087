import { readdir, readFile } from 'node:fs/promises';
import { type DescMessage, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { CHANNELS, type Channel } from './bus/index.ts';

/** One recorded message of every kind, as bytes and as JSON. They must decode for ever: never record them anew. */
const golden = new URL('./golden/', import.meta.url);
const read = (name: string) => readFile(new URL(name, golden));
const channels: [string, Channel<DescMessage>][] = Object.entries(CHANNELS);

describe('golden events', () => {
  it('exist for every channel', async () => {
    const recorded = (await readdir(golden)).filter((name) => name.endsWith('.binpb'));
    expect(recorded.sort()).toEqual(channels.map(([name]) => `${name}.binpb`).sort());
  });

  it.each(channels)('%s decodes to what was recorded', async (name, { schema }) => {
    const bytes = await read(`${name}.binpb`);
    const message = fromBinary(schema, bytes);
    expect(toJson(schema, message)).toEqual(JSON.parse((await read(`${name}.json`)).toString('utf8')));
    expect(Buffer.from(toBinary(schema, message))).toEqual(bytes);
  });
});
