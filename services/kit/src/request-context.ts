import { AsyncLocalStorage } from 'node:async_hooks';

/** Ids that follow one request through every call and message it causes. */
export type RequestContext = { readonly requestId?: string; readonly traceparent?: string };

const storage = new AsyncLocalStorage<RequestContext>();

export const currentContext = (): RequestContext => storage.getStore() ?? {};

export const withContext = <T>(context: RequestContext, run: () => T): T => storage.run(context, run);
