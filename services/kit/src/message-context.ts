import type { MsgHdrs } from '@nats-io/nats-core';
import { currentContext, type RequestContext, readContext } from './request-context.ts';

const REQUEST_ID = 'Esl-Request-Id';

/** Gives a message the ids of the request that causes it. */
export const writeMessageContext = (headers: MsgHdrs): void => {
  const { requestId, traceparent, tracestate } = currentContext();
  if (traceparent) headers.set('traceparent', traceparent);
  if (tracestate) headers.set('tracestate', tracestate);
  if (requestId) headers.set(REQUEST_ID, requestId);
};

/** The request that caused a message. */
export const messageContext = (headers: MsgHdrs | undefined): RequestContext =>
  readContext({
    requestId: headers?.get(REQUEST_ID),
    traceparent: headers?.get('traceparent'),
    tracestate: headers?.get('tracestate'),
  });
