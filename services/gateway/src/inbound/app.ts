import { BlobStoreFault } from '@esl/kit/blob-store';
import type { Log } from '@esl/kit/log';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import helmet from 'helmet';
import { v7 as uuidv7 } from 'uuid';
import { ANONYMOUS, type Authenticate, hasRole, type Principal } from './principal.ts';
import { expected, fault, notFound, type Problem, problem } from './problem.ts';
import { jsonBody } from './request-body.ts';
import { requestLog } from './request-log.ts';
import type { Reply, Route } from './route.ts';

/** The gateway serves data; what may do more (docs, pages) says so itself. Links to files work from any site. */
const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  xFrameOptions: { action: 'deny' },
});

const sendJson = (response: Response, { status, body, headers }: Reply): void => {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    ...headers,
    'content-length': bytes.length,
  });
  response.end(bytes);
};

const sendProblem = (response: Response, { status, envelope, headers }: Problem): void =>
  sendJson(response, { status, body: envelope, headers });

const admit = async ({ access }: Route, authenticate: Authenticate, request: Request): Promise<Principal> => {
  if (access === 'public') return ANONYMOUS;
  const principal = await authenticate(request);
  if (hasRole(principal, access)) return principal;
  throw problem('forbidden', 'Your account may not do this.');
};

const serve = (route: Route, authenticate: Authenticate): RequestHandler => {
  return async (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const principal = await admit(route, authenticate, request);
    const reply = await route.handle({
      principal,
      request,
      response,
      signal: gone.signal,
      newId: () => uuidv7(),
    });
    if (!reply) return;
    if (reply.status === 304) response.writeHead(304, { ...reply.headers }).end();
    else sendJson(response, reply);
  };
};

/** HEAD comes with GET. */
const allowed = (routes: readonly Route[]): string =>
  routes.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])).join(', ');

/** The HTTP application made from the route table. */
export const httpApp = (
  routes: readonly Route[],
  { authenticate, log }: { readonly authenticate: Authenticate; readonly log: Log },
): Express => {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', 'simple');
  app.use(requestLog(log), securityHeaders);

  const byPath = Map.groupBy(routes, ({ path }) => path);
  for (const [path, ofPath] of byPath) {
    const name: RequestHandler = (_request, response, next) => {
      response.locals.route = path;
      next();
    };
    for (const route of ofPath) {
      app[route.method](path, name, ...(route.body ? [jsonBody] : []), serve(route, authenticate));
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
