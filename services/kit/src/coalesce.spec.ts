import { describe, expect, it } from 'vitest';
import { coalesce } from './coalesce.ts';

/** A flush whose calls the test lets go one by one. */
const heldFlush = () => {
  const calls: { items: readonly number[]; finish: (error?: Error) => void }[] = [];
  const flush = (items: readonly number[]) =>
    new Promise<readonly string[]>((resolve, reject) => {
      calls.push({
        items,
        finish: (error) => (error ? reject(error) : resolve(items.map((item) => `<${item}>`))),
      });
    });
  return { calls, flush };
};

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('coalescing calls', () => {
  it('sends what was asked for while a call is under way together, in order', async () => {
    const { calls, flush } = heldFlush();
    const ask = coalesce(flush, { maxItems: 10 });
    const first = ask(1);
    await turn();
    const rest = [ask(2), ask(3)];
    calls[0]?.finish();
    await expect(first).resolves.toBe('<1>');
    await turn();
    expect(calls[1]?.items).toEqual([2, 3]);
    calls[1]?.finish();
    await expect(Promise.all(rest)).resolves.toEqual(['<2>', '<3>']);
  });

  it('keeps calls within their size', async () => {
    const { calls, flush } = heldFlush();
    const ask = coalesce(flush, { maxItems: 2 });
    void Promise.all([ask(1), ask(2), ask(3)]);
    await turn();
    expect(calls[0]?.items).toEqual([1, 2]);
  });

  it('fails only those whose call failed', async () => {
    const { calls, flush } = heldFlush();
    const ask = coalesce(flush, { maxItems: 1 });
    const both = [ask(1), ask(2)];
    await turn();
    calls[0]?.finish(new Error('disk full'));
    await expect(both[0]).rejects.toThrow('disk full');
    await turn();
    calls[1]?.finish();
    await expect(both[1]).resolves.toBe('<2>');
  });
});
