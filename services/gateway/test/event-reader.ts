import { type ClientRequest, get, type IncomingHttpHeaders } from 'node:http';
import { eventually } from '@esl/kit/testing/world';
import { authorization } from './gateway-world.ts';

export type Frame = { readonly id: string | null; readonly event: string; readonly data: unknown };

const parse = (block: string): Frame | null => {
  const fields = new Map(
    block.split('\n').map((line) => [line.split(': ', 1)[0], line.slice(line.indexOf(': ') + 2)]),
  );
  const data = fields.get('data');
  return data === undefined
    ? null
    : { id: fields.get('id') ?? null, event: fields.get('event') ?? 'message', data: JSON.parse(data) };
};

export type EventReader = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly frames: readonly Frame[];
  /** Everything that came, comments included. */
  readonly text: () => string;
  readonly until: (enough: (frames: readonly Frame[]) => boolean) => Promise<readonly Frame[]>;
  readonly lastEventId: () => string;
  readonly ended: Promise<void>;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly vanish: () => void;
};

/** Reads an event stream over a plain socket, as the world's one user unless the headers or the query say otherwise. */
export const readEvents = (url: string, headers: Record<string, string> = {}): Promise<EventReader> =>
  new Promise((resolve, reject) => {
    const known = url.includes('access_token=') ? {} : authorization(url);
    const request: ClientRequest = get(
      url,
      { headers: { ...known, ...headers }, agent: false },
      (response) => {
        const frames: Frame[] = [];
        const chunks: string[] = [];
        let rest = '';
        const ended = Promise.withResolvers<void>();
        response.setEncoding('utf8').on('data', (chunk: string) => {
          chunks.push(chunk);
          const blocks = (rest + chunk).split('\n\n');
          rest = blocks.pop() ?? '';
          for (const block of blocks) {
            const frame = parse(block);
            if (frame) frames.push(frame);
          }
        });
        response.on('error', () => {});
        response.on('close', () => ended.resolve());
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          frames,
          text: () => chunks.join(''),
          until: (enough) => eventually(() => (enough(frames) ? frames : null)),
          lastEventId: () => frames.findLast(({ id }) => id !== null)?.id ?? '',
          ended: ended.promise,
          pause: () => void response.pause(),
          resume: () => void response.resume(),
          vanish: () => void request.destroy(),
        });
      },
    );
    request.on('error', reject);
  });
