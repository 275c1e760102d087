import { failingChecks } from '@esl/kit/admin-server';
import type { Running } from '@esl/kit/service';
import { z } from 'zod';
import { problem } from '../problem.ts';
import type { Route } from '../route.ts';

const healthSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });
const ok = { status: 200, body: { status: 'ok' } };

export const healthRoutes = (checks: Running['ready'], isLeaving: () => boolean): Route[] => {
  /** Callers at the same time share one round of checks. */
  let checking: Promise<string[]> | null = null;
  const failing = () => {
    checking ??= failingChecks(checks).finally(() => {
      checking = null;
    });
    return checking;
  };
  const common = { method: 'get', reach: 'core', access: 'public', tag: 'Service' } as const;
  return [
    {
      ...common,
      path: '/healthz',
      name: 'isAlive',
      summary: 'Whether the process answers',
      answers: { 200: { description: 'It does.', schema: healthSchema } },
      errors: [],
      handle: async () => ok,
    },
    {
      ...common,
      path: '/readyz',
      name: 'isReady',
      summary: 'Whether the parts it depends on answer',
      answers: { 200: { description: 'They do.', schema: healthSchema } },
      errors: ['not_ready'],
      handle: async () => {
        if (isLeaving()) throw problem('not_ready', 'The gateway is stopping.');
        const missing = await failing();
        if (missing.length === 0) return ok;
        throw problem('not_ready', `Not answering: ${missing.join(', ')}.`, {
          details: { failing: missing },
        });
      },
    },
  ];
};
