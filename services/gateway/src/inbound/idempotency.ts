// `Idempotency-Key`: a client that lost the answer to a POST may send it again
// (draft-ietf-httpapi-idempotency-key-header).
//   K1. The ids of what a request makes are fixed before it makes anything: whoever carries it out again, after a crash
//       as well, makes the same things, and the services behind know them by their ids.
//   K2. What was carried out is answered from memory for a day: same status, same body.
//   K3. A request that was refused made nothing, and gives its key back.

import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import type { Claim, IdempotencyKeys } from '../outbound/mongo-idempotency-keys.ts';
import { expected, problem } from './problem.ts';
import { bodyHash } from './request-body.ts';
import type { Call, Reply, Route } from './route.ts';

/** 1 to 255 visible characters. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

const REPLAYED = { 'idempotent-replayed': 'true' } as const;

const FIRST_LOOK_MS = 20;
const LOOK_MS = 200;

const hash = (...parts: readonly string[]) =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url');

/** Ids in an order that a seed fixes: the same ones each time the request is carried out. */
const idsOf = ({ seed, since }: Claim): (() => string) => {
  let seq = 0;
  return () => {
    seq += 1;
    const random = createHash('sha256').update(`${seed}:${seq}`).digest().subarray(0, 16);
    return uuidv7({ msecs: since.getTime(), seq, random });
  };
};

const inProgress = () =>
  problem('idempotency_in_progress', 'A request with this Idempotency-Key is still being carried out.', {
    headers: { 'retry-after': '1' },
  });

/** Gives a route that creates something the header; others stay as they are. */
export const withIdempotency =
  ({
    keys,
    waitMs: patienceMs,
  }: {
    readonly keys: IdempotencyKeys;
    /** How long a request waits for the answer of another one that has its key. */
    readonly waitMs: number;
  }) =>
  (route: Route): Route => {
    const { idempotent, method, path, handle } = route;
    if (!idempotent) return route;

    const take = async (id: string, fingerprint: string, signal: AbortSignal) => {
      const until = Date.now() + patienceMs;
      for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(2 * waitMs, LOOK_MS)) {
        const found = await keys.claim(id, fingerprint);
        if (found.kind !== 'in_progress') return found;
        if (Date.now() + waitMs > until) throw inProgress();
        await delay(waitMs, null, { signal });
      }
    };

    const carryOut = async (claim: Claim, call: Call): Promise<Reply | null> => {
      let reply: Reply | null;
      try {
        reply = await handle({ ...call, newId: idsOf(claim) });
      } catch (error) {
        const status = expected(error)?.status ?? 500;
        await keys.release(claim, { forget: claim.isFirst && status < 500 });
        throw error;
      }
      if (reply) {
        const body = idempotent === 'stored' ? JSON.stringify(reply.body) : null;
        await keys.answered(claim, { status: reply.status, body });
      }
      return reply;
    };

    return {
      ...route,
      handle: async (call) => {
        const { principal, request, signal } = call;
        const key = request.headers['idempotency-key'];
        if (key === undefined) return await handle(call);
        if (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key))
          throw problem('invalid_idempotency_key', 'An Idempotency-Key is 1 to 255 visible characters.');
        const id = hash(principal.ownerId, method, path, key);
        const found = await take(id, hash(request.originalUrl, bodyHash(request)), signal);
        switch (found.kind) {
          case 'other_request':
            throw problem('idempotency_key_reused', 'This Idempotency-Key belongs to another request.');
          case 'claimed':
            return await carryOut(found.claim, call);
          case 'answered': {
            const { status, body, claim } = found;
            if (body !== null) return { status, body: JSON.parse(body), headers: REPLAYED };
            const again = await handle({ ...call, newId: idsOf(claim) });
            return again && { ...again, headers: { ...again.headers, ...REPLAYED } };
          }
        }
      },
    };
  };
