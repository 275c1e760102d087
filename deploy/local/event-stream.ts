import { setTimeout as delay } from 'node:timers/promises';

export type StreamEvent = { readonly id: string; readonly name: string; readonly data: unknown };

/** The events of one stream of text, as the HTML standard parses them (§9.2.6); comments are dropped. */
async function* parse(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map<string, string>();
      for (const line of text.slice(0, end).split('\n')) {
        const colon = line.indexOf(':');
        if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart());
      }
      text = text.slice(end + 2);
      const data = fields.get('data');
      if (data !== undefined)
        yield { id: fields.get('id') ?? '', name: fields.get('event') ?? '', data: JSON.parse(data) };
    }
  }
}

const RECONNECT_MS = 250;

/** Follows an event stream until the signal fires; after a break it resumes with Last-Event-ID. */
export async function* followEvents(
  url: string,
  signal: AbortSignal,
  onConnect = () => {},
  headers: () => Promise<Record<string, string>> = async () => ({}),
): AsyncGenerator<StreamEvent> {
  let lastEventId = '';
  while (!signal.aborted) {
    try {
      const response = await fetch(url, {
        signal,
        headers: { ...(await headers()), ...(lastEventId && { 'last-event-id': lastEventId }) },
      });
      if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status}`);
      onConnect();
      for await (const event of parse(response.body)) {
        if (event.id) lastEventId = event.id;
        yield event;
      }
    } catch {
      if (signal.aborted) return;
    }
    await delay(RECONNECT_MS, null, { signal }).catch(() => {});
  }
}
