import { benchAccounts } from './accounts.ts';
import { benchBatch } from './batch.ts';
import { benchEvents } from './events.ts';
import { benchLists } from './lists.ts';
import { type Figure, table } from './measure.ts';
import { benchMemory } from './memory.ts';
import { benchNarration } from './narration.ts';
import { benchOverhead } from './overhead.ts';
import { benchStart } from './start.ts';
import { benchSubmit } from './submit.ts';
import { benchTracing } from './tracing.ts';

const BENCHES: Readonly<Record<string, () => Promise<Figure[]>>> = {
  submit: benchSubmit,
  batch: benchBatch,
  overhead: benchOverhead,
  events: benchEvents,
  accounts: benchAccounts,
  lists: benchLists,
  narration: benchNarration,
  memory: benchMemory,
  start: benchStart,
  tracing: benchTracing,
};

const wanted = process.argv.slice(2).filter((name) => name in BENCHES);
const figures: Figure[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.error(`measuring ${name} …`);
  figures.push(...(await bench()));
}
console.log(table(figures));
process.exit(figures.every(({ met }) => met) ? 0 : 1);
