import type { OutgoingHttpHeaders } from 'node:http';
import { BlobStoreFault } from '@esl/kit/blob-store';
import type { Log } from '@esl/kit/log';
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from 'express';
import helmet from 'helmet';
import { v7 as uuidv7 } from 'uuid';
import { type CorsSettings, crossOrigin } from './cross-origin.ts';
import { ANONYMOUS, type Authenticate, hasRole, type Principal } from './principal.ts';
import { expected, fault, notFound, type Problem, problem } from './problem.ts';
import { jsonBody } from './request-body.ts';
import { requestLog } from './request-log.ts';
import type { Counted, Reply, Route } from './route.ts';

/** The gateway serves data; what may do more (docs, pages) says so itself. Links to files work from any site. */
const securityHeaders = (hstsMaxAgeS: number) =>
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    xFrameOptions: { action: 'deny' },
    strictTransportSecurity: { maxAge: hstsMaxAgeS },
  });

const withoutBody = (response: Response, { status, headers }: Reply): void =>
  void response.writeHead(status, { 'cache-control': 'no-store', ...headers } as OutgoingHttpHeaders).end();

const sendJson = (response: Response, { status, body, headers }: Reply): void => {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    ...headers,
    'content-length': bytes.length,
  } as OutgoingHttpHeaders);
  response.end(bytes);
};

const sendProblem = (response: Response, { status, envelope, headers }: Problem): void =>
  sendJson(response, { status, body: envelope, headers });

/** Nothing of a request is read, its body least of all, before its sender is known and may do what it asks. */
const admit = (
  { access, tokenInQuery, counts }: Route,
  { authenticate, countCall }: Pick<Settings, 'authenticate' | 'countCall'>,
): RequestHandler => {
  return async (request, response, next) => {
    const principal =
      access === 'public' ? ANONYMOUS : await authenticate(request, { tokenInQuery: tokenInQuery === true });
    if (access !== 'public' && !hasRole(principal, access))
      throw problem('forbidden', 'Your account may not do this.');
    if (typeof counts === 'string') await countCall(counts, principal);
    response.locals.principal = principal;
    next();
  };
};

/** What only its body tells about a request is counted once that is read. */
const countByBody = (
  counts: (body: unknown) => Counted | null,
  { countCall }: Pick<Settings, 'countCall'>,
): RequestHandler => {
  return async (request, response, next) => {
    const what = counts(request.body);
    if (what) await countCall(what, response.locals.principal);
    next();
  };
};

const serve = (route: Route): RequestHandler => {
  return async (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const principal: Principal = response.locals.principal;
    const reply = await route.handle({
      principal,
      request,
      response,
      signal: gone.signal,
      newId: () => uuidv7(),
    });
    if (!reply) return;
    if (reply.status === 304 || reply.status === 204) withoutBody(response, reply);
    else sendJson(response, reply);
  };
};

/** HEAD comes with GET. */
const allowed = (routes: readonly Route[]): string =>
  routes.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])).join(', ');

type Settings = {
  readonly authenticate: Authenticate;
  /** Throws a problem when the caller does something too often. */
  readonly countCall: (what: Counted, principal: Principal) => Promise<void>;
  /** Whose word about a client's address is taken: Express's `trust proxy`. */
  readonly trustProxy: boolean | number | string;
  readonly hstsMaxAgeS: number;
  readonly cors: CorsSettings | null;
  readonly log: Log;
};

/** The HTTP application made from the route table. On the `hidden` paths there is nothing, whatever else would match. */
export const httpApp = (routes: readonly Route[], hidden: readonly string[], settings: Settings): Express => {
  const { log } = settings;
  const app = express();
  app.set('trust proxy', settings.trustProxy);
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', 'simple');
  app.use(requestLog(log), securityHeaders(settings.hstsMaxAgeS));
  if (settings.cors) app.use(crossOrigin(settings.cors));

  for (const path of hidden) {
    app.all(path, () => {
      throw notFound();
    });
  }
  const byPath = Map.groupBy(routes, ({ path }) => path);
  for (const [path, ofPath] of byPath) {
    const name: RequestHandler = (_request, response, next) => {
      response.locals.route = path;
      next();
    };
    for (const route of ofPath) {
      const readsJson = route.body && !route.body.contentType;
      const { counts } = route;
      app[route.method](
        path,
        name,
        admit(route, settings),
        ...(readsJson ? [jsonBody] : []),
        ...(typeof counts === 'function' ? [countByBody(counts, settings)] : []),
        serve(route),
      );
    }
    app.all(path, name, () => {
      const allow = allowed(ofPath);
      throw problem('method_not_allowed', `This path takes ${allow}.`, { headers: { allow } });
    });
  }
  app.use(() => {
    throw notFound();
  });

  const onError: ErrorRequestHandler = (error, request, response, _next) => {
    const answer = expected(error);
    // Storage that refuses is for its operator to mend, however it looks to the client.
    const isOurs = !answer || error instanceof BlobStoreFault;
    if (isOurs && !request.destroyed) log.error({ err: error }, 'request failed');
    if (response.headersSent) response.destroy();
    else sendProblem(response, answer ?? fault());
  };
  app.use(onError);
  return app;
};
