import { MongoClient } from 'mongodb';
import { type System, startSystem } from '../e2e/system.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { type Figure, load, median, systemClient } from './measure.ts';

const CONNECTIONS = 32;
const JOBS = 3_000;
const ROUNDS = 3;

/** Accepted submissions a second against the raw majority insertOne of the same mongod, round by round. */
const ratios = async (system: System, md: string): Promise<{ ratio: number; perSecond: number }[]> => {
  const http = await systemClient(system, CONNECTIONS);
  const mongo = new MongoClient(system.stack.info().mongo.url, {
    writeConcern: { w: 'majority', journal: true },
  });
  await mongo.connect();
  const raw = mongo.db('bench').collection('raw');
  const body = { md, preset: 'b1-default', withTts: false, mode: 'auto' };
  const insert = () =>
    raw.insertOne({ ...body, ownerId: 'anonymous', state: 'queued', createdAt: new Date() });
  await load(500, CONNECTIONS, () => http.submit(body));
  await load(500, CONNECTIONS, insert);
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const plain = await load(JOBS, CONNECTIONS, insert);
    const accepted = await load(JOBS, CONNECTIONS, () => http.submit(body));
    rounds.push({ ratio: accepted.perSecond / plain.perSecond, perSecond: accepted.perSecond });
  }
  await mongo.close();
  http.close();
  return rounds;
};

export const benchSubmit = async (): Promise<Figure[]> => {
  const figures: Figure[] = [];
  for (const [name, without, target] of [
    ['no worker', ['worker'], 0.5],
    ['a worker busy', [], 0.25],
  ] as const) {
    const system = await startSystem({ without: [...without], env: { LOG_LEVEL: 'error' } });
    try {
      const md = await system.putLesson('small.md', await sample('morning-at-the-harbour'));
      const rounds = await ratios(system, md);
      const ratio = median(rounds.map((round) => round.ratio));
      const perSecond = median(rounds.map((round) => round.perSecond));
      figures.push({
        what: `accepted POST /jobs, 32 connections, ${name}`,
        value: `${ratio.toFixed(2)} × raw insertOne (${perSecond.toFixed(0)}/s)`,
        target: `≥ ${target} ×`,
        met: ratio >= target,
      });
    } finally {
      await system.stop();
    }
  }
  return figures;
};
