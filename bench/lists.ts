import { randomBytes } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { startSystem } from '../e2e/system.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { type Figure, load, median, percentile, systemClient } from './measure.ts';

const FEW = 100;
const MANY = 100_000;
const ASKED = 1_000;
const INSERTED_AT_ONCE = 5_000;
/** Each job has a title of its own, but for ten that share it; all share a word. */
const TITLES = MANY / 10;

/** A UUIDv7 of a millisecond. */
const idAt = (ms: number): string => {
  const hex = ms.toString(16).padStart(12, '0');
  const random = randomBytes(9).toString('hex');
  const tail = `7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6, 18)}`;
  return `${hex.slice(0, 8)}-${hex.slice(8)}-${tail}`;
};

/** Lists and searches of a user with 100,000 jobs, through the gateway, one at a time. */
export const benchLists = async (): Promise<Figure[]> => {
  const system = await startSystem({ without: ['worker'], env: { LOG_LEVEL: 'error' } });
  const mongo = new MongoClient(system.stack.info().mongo.url);
  try {
    const md = await system.putLesson('small.md', await sample('morning-at-the-harbour'));
    const http = await systemClient(system, 1);
    const first = await http.submit({ md });
    const jobs = mongo.db('esl').collection<{ _id: string }>('jobs');
    const template = await jobs.findOne({ _id: first });
    const at = Date.now() - MANY * 1_000;
    const ids: string[] = [first];

    const fillTo = async (count: number) => {
      while (ids.length < count) {
        const documents = Array.from(
          { length: Math.min(INSERTED_AT_ONCE, count - ids.length) },
          (_, index) => {
            const number = ids.length + index;
            const createdAt = new Date(at + number * 1_000);
            const title = `Lesson ${number % TITLES}`;
            return {
              ...template,
              _id: idAt(createdAt.getTime()),
              state: 'succeeded',
              dispatchAt: null,
              isDispatched: false,
              createdAt,
              updatedAt: createdAt,
              finishedAt: createdAt,
              lesson: { title, student: 'Mira', level: 'B1', topic: 'travel' },
              words: ['small', 'md', 'lesson', String(number % TITLES), 'mira', 'travel'],
              outbox: [],
            };
          },
        );
        await jobs.insertMany(documents);
        ids.push(...documents.map(({ _id }) => _id));
      }
    };
    const ask = async (pathOf: (index: number) => string) => {
      const { durations } = await load(ASKED, 1, async (index) => {
        const { status, text } = await http.get(pathOf(index));
        if (status !== 200) throw new Error(`${status}: ${text}`);
      });
      return { p50: median(durations), p99: percentile(durations, 0.99) };
    };
    const list = () => ask(() => '/jobs');

    await fillTo(FEW);
    await list();
    const few = await list();
    await fillTo(MANY);
    await list();
    const many = await list();
    const pick = (index: number) => (index * 7_919) % MANY;
    const lookup = await ask((index) => `/jobs/${ids[pick(index)]}`);
    const search = await ask((index) => `/jobs?q=${pick(index) % TITLES}+lesson`);
    const ms = (value: number) => `${value.toFixed(1)} ms`;
    http.close();
    return [
      {
        what: `p99 of ${ASKED} lists of a user with 100,000 jobs`,
        value: `${(many.p99 / few.p50).toFixed(2)} × the p50 with ${FEW} jobs (${ms(many.p99)} against ${ms(few.p50)})`,
        target: '≤ 2 ×',
        met: many.p99 <= 2 * few.p50,
      },
      {
        what: 'p99 of a search over 100,000 jobs',
        value: `${(search.p99 / lookup.p99).toFixed(2)} × that of a lookup by id (${ms(search.p99)} against ${ms(lookup.p99)})`,
        target: '≤ 3 ×',
        met: search.p99 <= 3 * lookup.p99,
      },
    ];
  } finally {
    await mongo.close();
    await system.stop();
  }
};
