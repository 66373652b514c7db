import { createHash } from 'node:crypto';
import type { Answer, Headers } from './answer.ts';
import type { Call } from './call.ts';
import type { Route } from './routes.ts';

/** A file of the built page. All of them are text. */
export interface ConsoleFile {
  /** From the folder of the page, such as `index.html` or `assets/page-1a2b.js`. */
  readonly path: string;
  readonly text: string;
}

/** What the page is told about the server that it comes from. */
export interface ConsoleFacts {
  /** Whether reading needs a token. */
  readonly tokens: boolean;
  /** Whether the routes of the demo are there. */
  readonly demo: boolean;
}

/** Nothing but this server's own files may run, show or be asked. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE: Headers = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

const MISSING = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Waybill</title>
<h1>The console was not built</h1>
<p>In a checkout, run <code>npm run build:console</code> and start again. Everything else of this server works without it.</p>
</html>
`;

/** A file as it is answered. */
interface Served {
  readonly text: string;
  readonly headers: Headers;
}

/**
 * The routes of the page: `/`, and one for each of its other files. The files are the ones given and no others, so no path leads anywhere
 * else.
 * The page itself holds nothing that needs a token; it asks for data with the token of whoever looks at it.
 */
export function consoleRoutes(files: readonly ConsoleFile[], facts: ConsoleFacts): readonly Route[] {
  const page = files.find(({ path }) => path === 'index.html');
  const others = files.filter((file) => file !== page).map((file) => route(`/${file.path}`, lasting(file)));
  if (page === undefined) return [{ method: 'GET', path: '/', need: 'open', take: () => missing() }, ...others];
  const told = `<meta name="waybill" content="tokens=${facts.tokens ? 'yes' : 'no'} demo=${facts.demo ? 'yes' : 'no'}">`;
  const shown = { path: page.path, text: page.text.replace('<meta name="waybill" content="">', told) };
  return [route('/', serve(shown, 'no-cache')), ...others];
}

function route(path: string, served: Served): Route {
  return { method: 'GET', path, need: 'open', take: (call) => answer(call, served) };
}

/** Names of assets hold a digest of what is in them, so the same name is the same file for ever. */
function lasting(file: ConsoleFile): Served {
  return serve(file, file.path.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
}

function serve({ path, text }: ConsoleFile, cache: string): Served {
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  const type = TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'text/plain; charset=utf-8';
  return { text, headers: { ...PAGE, ...ownPolicy(text), 'content-type': type, 'cache-control': cache, etag } };
}

/** A page that stands in one file brings the digests of its own script and style along: its policy is the stricter one. */
function ownPolicy(text: string): Headers {
  const [, policy] = /<meta http-equiv="content-security-policy" content="([^"]+)">/.exec(text) ?? [];
  return policy === undefined ? {} : { 'content-security-policy': `${policy}; frame-ancestors 'none'` };
}

function answer(call: Call, { text, headers }: Served): Answer {
  const known = call.header('if-none-match') ?? '';
  return known.split(/\s*,\s*/).includes(headers['etag'] ?? '') ? { status: 304, headers, body: '' } : { status: 200, headers, body: text };
}

function missing(): Answer {
  return { status: 404, headers: { ...PAGE, 'content-type': TYPES['html'] ?? '' }, body: MISSING };
}
