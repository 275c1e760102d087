import { eventually } from '@esl/kit/testing/world';
import { MongoClient } from 'mongodb';
import { startSystem } from '../e2e/system.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { type Figure, httpClient, load, median } from './measure.ts';

const CONNECTIONS = 32;
const JOBS = 500;
const ROUNDS = 3;

/** How long a batch takes to be accepted, as a share of what its lessons take one by one, round by round. */
export const benchBatch = async (): Promise<Figure[]> => {
  const system = await startSystem({ without: ['worker'], env: { LOG_LEVEL: 'error' } });
  const mongo = await new MongoClient(system.stack.info().mongo.url).connect();
  const jobs = mongo.db('esl').collection('jobs');
  /** Each measurement begins when the events of the one before are out. */
  const atRest = () =>
    eventually(async () => ((await jobs.findOne({ 'outbox.0': { $exists: true } })) ? null : true), 60_000);
  const http = httpClient(system.gateway, CONNECTIONS);
  try {
    await system.putLesson('small.md', await sample('morning-at-the-harbour'));
    const body = { md: 'small.md', preset: 'b1-default', withTts: false, mode: 'auto' };
    const items = Array.from({ length: JOBS }, () => body);
    const together = async () => {
      const { status, text } = await http.post('/jobs/batch', { items });
      if (status !== 202) throw new Error(`POST /jobs/batch answered ${status}: ${text}`);
    };
    await eventually(async () => ((await http.get('/jobs')).status === 200 ? true : null), 60_000);
    await load(JOBS, CONNECTIONS, () => http.submit(body));
    await together();
    const figures: Figure[] = [];
    for (const [how, connections, target] of [
      ['one after another', 1, 0.2],
      [`over ${CONNECTIONS} connections`, CONNECTIONS, 1],
    ] as const) {
      const rounds: Record<'ratio' | 'singleMs' | 'batchMs', number>[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        await atRest();
        const { perSecond } = await load(JOBS, connections, () => http.submit(body));
        const singleMs = (JOBS / perSecond) * 1_000;
        await atRest();
        const [batchMs = 0] = (await load(1, 1, together)).durations;
        rounds.push({ ratio: batchMs / singleMs, singleMs, batchMs });
      }
      const middle = (of: 'ratio' | 'singleMs' | 'batchMs') => median(rounds.map((round) => round[of]));
      const ratio = middle('ratio');
      figures.push({
        what: `a batch of ${JOBS} against ${JOBS} submissions ${how}`,
        value: `${ratio.toFixed(2)} × (${middle('batchMs').toFixed(0)} ms to ${middle('singleMs').toFixed(0)} ms)`,
        target: `< ${target} ×`,
        met: ratio < target,
      });
    }
    return figures;
  } finally {
    http.close();
    await mongo.close();
    await system.stop();
  }
};
