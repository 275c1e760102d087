import { fork } from 'node:child_process';
import { once } from 'node:events';
import { startSystem } from '../e2e/system.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { type Figure, httpClient, load, median, systemClient } from './measure.ts';

const CONNECTIONS = 16;
const REQUESTS = 3_000;
const ROUNDS = 3;

/** Reads with a token, against a bare Express route doing the same read of the same mongod, round by round. */
export const benchAccounts = async (): Promise<Figure[]> => {
  const system = await startSystem({ without: ['worker'], env: { LOG_LEVEL: 'error' } });
  const bare = fork(new URL('./bare-express-server.ts', import.meta.url), [
    system.stack.info().mongo.url,
    'esl',
  ]);
  try {
    const [bareUrl] = (await once(bare, 'message')) as [string];
    const md = await system.putLesson('small.md', await sample('morning-at-the-harbour'));
    const jobId = await system.submit({ md });
    const me = (await system.get('/auth/me')).body as { user: { id: string } };
    const ours = await systemClient(system, CONNECTIONS);
    const theirs = httpClient(bareUrl, CONNECTIONS);
    const figures: Figure[] = [];
    for (const [what, path, barePath] of [
      ['GET /jobs/:jobId', `/jobs/${jobId}`, `/jobs/${jobId}`],
      ['GET /auth/me', '/auth/me', `/me/${me.user.id}`],
    ] as const) {
      const read = async (client: typeof ours, from: string) => {
        const { status } = await client.get(from);
        if (status !== 200) throw new Error(`GET ${from} answered ${status}`);
      };
      await load(1_000, CONNECTIONS, () => read(ours, path));
      await load(1_000, CONNECTIONS, () => read(theirs, barePath));
      const rounds = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const plain = await load(REQUESTS, CONNECTIONS, () => read(theirs, barePath));
        const full = await load(REQUESTS, CONNECTIONS, () => read(ours, path));
        rounds.push({ ratio: full.perSecond / plain.perSecond, perSecond: full.perSecond });
      }
      const ratio = median(rounds.map((round) => round.ratio));
      const perSecond = median(rounds.map((round) => round.perSecond));
      figures.push({
        what: `${what} with a token, ${CONNECTIONS} connections`,
        value: `${ratio.toFixed(2)} × a bare Express route with the same read (${perSecond.toFixed(0)}/s)`,
        target: '≥ 0.5 ×',
        met: ratio >= 0.5,
      });
    }
    ours.close();
    theirs.close();
    return figures;
  } finally {
    bare.kill();
    await system.stop();
  }
};
