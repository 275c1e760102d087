import { jobEventSchema } from '@esl-pipeline/contracts';
import { z } from 'zod';
import { openConnection, type Viewer } from '../../sse/connection.ts';
import type { Hub } from '../../sse/hub.ts';
import { readEventId } from '../../sse/position.ts';
import type { Principal } from '../principal.ts';
import { problem } from '../problem.ts';
import type { Handler, Route } from '../route.ts';

const MAX_JOB_IDS = 500;

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache',
  Connection: 'keep-alive',
  'X-Accel-Buffering': 'no',
} as const;

const CONNECTED = Buffer.from(': connected\n\n');

/** A query parameter may come once, several times, or not at all. */
const texts = (value: unknown): string[] =>
  [value].flat().filter((text): text is string => typeof text === 'string');

/** Which jobs to follow; ids that are none of ours are simply never heard of. */
export const readJobIds = (value: unknown): Viewer['jobIds'] => {
  const ids = new Set(
    texts(value)
      .flatMap((list) => list.split(','))
      .map((id) => id.trim().toLowerCase())
      .filter((id) => id !== ''),
  );
  if (ids.size === 0) throw problem('job_id_required', 'Say which jobs: "jobId" is a list of ids, or "*".');
  if (ids.has('*') || ids.has('all')) return 'all';
  if (ids.size > MAX_JOB_IDS)
    throw problem('too_many_job_ids', `At most ${MAX_JOB_IDS} ids; "*" follows all your jobs.`);
  return ids;
};

/** Calls back when whoever opened a stream may not go on reading it; answers how to stop watching. */
export type WatchCaller = (principal: Principal, end: () => void) => () => void;

export const eventRoutes = (hub: Hub, now: () => number, watchCaller: WatchCaller): Route[] => {
  const follow: Handler = async ({ principal, request, response }) => {
    const jobIds = readJobIds(request.query.jobId);
    if (hub.isFull()) {
      throw problem('too_many_streams', 'Too many event streams are open; try again shortly.', {
        headers: { 'retry-after': '5' },
      });
    }
    response.locals.streamed = true;
    response.writeHead(200, HEADERS);
    if (request.method === 'HEAD') {
      response.end();
      return null;
    }
    response.write(CONNECTED);
    const viewer = { ownerId: principal.ownerId, everyone: principal.role === 'admin', jobIds };
    const [lastSeen = ''] = [request.headers['last-event-id'], request.query.lastEventId].flatMap(texts);
    const stopWatching = watchCaller(principal, () => response.end());
    response.once('close', stopWatching);
    hub.open(openConnection(response, viewer, now), readEventId(lastSeen));
    return null;
  };

  return [
    {
      method: 'get',
      path: '/jobs/events',
      reach: 'core',
      access: 'viewer',
      tokenInQuery: true,
      tag: 'Events',
      name: 'followJobs',
      summary: 'Follow jobs live (server-sent events)',
      query: z.object({
        jobId: z.string().describe('Ids, separated by commas, or `*` or `all` for all your jobs'),
        lastEventId: z
          .string()
          .optional()
          .describe('Goes on after this event, as the header Last-Event-ID does'),
      }),
      answers: {
        200: {
          description: 'Frames whose data is a JobEvent, or a ResyncEvent when a gap cannot be replayed.',
          schema: jobEventSchema,
          contentType: 'text/event-stream',
        },
      },
      errors: ['job_id_required', 'too_many_job_ids', 'too_many_streams'],
      handle: follow,
    },
  ];
};
