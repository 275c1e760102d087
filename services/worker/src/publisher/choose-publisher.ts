import { sha256 } from '@esl/kit/blob-store';
import type { Publisher, PublishRequest } from './publisher.ts';

/** Publishers kept ready, each with what it has learnt of its workspace. */
const MAX_READY = 500;

/** What a user picks to have a local page though Notion is connected. */
export const LOCAL_PAGE = 'local';

/** Names an account without giving its token away. */
export const fingerprint = (token: string): string => sha256(`notion:${token}`).slice(0, 32);

/** Notion, but for jobs that ask for a local page. A page of the one is no earlier page of the other. */
const notionOrLocal = (notion: Publisher, local: Publisher): Publisher => ({
  name: notion.name,
  notice: notion.notice,
  publish: (request: PublishRequest, sound, signal) => {
    const chosen = request.database === LOCAL_PAGE ? local : notion;
    const { previous } = request;
    const own = previous?.publisher === chosen.name ? previous : null;
    return chosen.publish({ ...request, previous: own }, sound, signal);
  },
  exists: (page, signal) => (page.publisher === notion.name ? notion : local).exists(page, signal),
});

/** A page that Notion has made is none of the local publisher's. */
const onlyLocal = (local: Publisher): Publisher => ({
  ...local,
  publish: (request, sound, signal) => {
    const own = request.previous?.publisher === local.name ? request.previous : null;
    return local.publish({ ...request, previous: own }, sound, signal);
  },
});

/** The publisher for whoever has this Notion token; null: nobody's, so pages are local. */
export const choosePublisher = (
  local: Publisher,
  notion: (token: string, account: string) => Publisher,
): ((token: string | null) => Publisher) => {
  const ready = new Map<string, Publisher>();
  const pages = onlyLocal(local);
  return (token) => {
    if (token === null) return pages;
    const account = fingerprint(token);
    const publisher = ready.get(account) ?? notionOrLocal(notion(token, account), pages);
    ready.delete(account);
    ready.set(account, publisher);
    const [oldest] = ready.keys();
    if (ready.size > MAX_READY && oldest !== undefined) ready.delete(oldest);
    return publisher;
  };
};
