import { createRequire } from 'node:module';
import { z } from 'zod';
import { notFound } from '../problem.ts';
import type { Handler, Route } from '../route.ts';

const dist = createRequire(import.meta.url);

/** Exactly what Swagger UI needs: its own files, inline styles and images, and this origin's API. */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>esl-pipeline API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
`;

const START = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });
`;

const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

export const docRoutes = (document: () => object): Route[] => {
  const page: Handler = async ({ request, response }) => {
    // The page names its files relative to its folder, so that it also works behind a proxy with a prefix.
    if (request.path.endsWith('/')) response.redirect(308, '../docs');
    else response.type('html').set('Content-Security-Policy', CSP).send(PAGE);
    return null;
  };

  const asset: Handler = async ({ request, response }) => {
    const name = String(request.params.asset);
    response.set('Cache-Control', 'public, max-age=3600');
    if (name === 'start.js') {
      response.type('text/javascript').send(START);
      return null;
    }
    const type = Object.hasOwn(ASSETS, name) ? ASSETS[name] : undefined;
    if (!type) throw notFound();
    response.type(type);
    await new Promise<void>((resolve, reject) =>
      response.sendFile(
        dist.resolve(`swagger-ui-dist/${name}`),
        { dotfiles: 'allow', cacheControl: false },
        (error) => (error && !response.headersSent ? reject(error) : resolve()),
      ),
    );
    return null;
  };

  const common = { method: 'get', reach: 'core', access: 'public', tag: 'Service' } as const;
  return [
    {
      ...common,
      path: '/openapi.json',
      name: 'getOpenApi',
      summary: 'This description, as OpenAPI 3.1',
      answers: { 200: { description: 'The document.', schema: z.looseObject({ openapi: z.string() }) } },
      errors: [],
      handle: async () => ({
        status: 200,
        body: document(),
        headers: { 'cache-control': 'public, max-age=300' },
      }),
    },
    {
      ...common,
      path: '/docs',
      name: 'readDocs',
      summary: 'This description, to read and to try',
      answers: { 200: { description: 'A page.', contentType: 'text/html' } },
      errors: [],
      handle: page,
    },
    {
      ...common,
      path: '/docs/:asset',
      name: 'getDocsAsset',
      summary: 'A file of the page',
      answers: { 200: { description: 'The file.', contentType: 'text/javascript' } },
      errors: ['not_found'],
      handle: asset,
    },
  ];
};
