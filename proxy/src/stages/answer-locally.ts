import type { Config, Route } from '../config/index.js';
import { hasMetadata, publicPathOf, resourceMetadata, WELL_KNOWN } from '../http/resource.js';
import { routeOf } from '../http/route-of.js';
import type { Accepted, LocalAnswer } from '../pipeline/evidence.js';

/** Browsers keep a preflight and clients the metadata this long. */
const MAX_AGE_SECONDS = 300;
const REQUEST_HEADERS = [
  'Authorization',
  'DPoP',
  'Content-Type',
  'Accept',
  'MCP-Protocol-Version',
  'Mcp-Session-Id',
  'Mcp-Method',
  'Mcp-Name',
  'Last-Event-ID',
  'traceparent',
  'tracestate',
];
/** Names of mirrored parameters are the server's own, and CORS knows no prefixes: what is asked for is allowed. */
const MIRRORED_PARAMETER = /^mcp-param-[!#$%&'*+.^_`|~0-9a-z-]+$/i;

function allowedHeaders({ headers }: Accepted): string {
  const asked = headers.get('access-control-request-headers')?.split(',') ?? [];
  const mirrored = asked.map((name) => name.trim()).filter((name) => MIRRORED_PARAMETER.test(name));
  return [...REQUEST_HEADERS, ...mirrored].join(', ');
}

/**
 * What clients must be able to ask before they have a token: protected resource metadata of every route (RFC
 * 9728 3.1, and the root form that MCP clients try second, where one route only has metadata), and the CORS
 * preflight of an allowed Origin. `undefined`: not such a request.
 */
export function answerLocally(config: Config): (x: Accepted) => LocalAnswer | undefined {
  const described = config.routes.filter(hasMetadata);
  const byPath = new Map<string, Route>(
    described.flatMap((route) => [
      [WELL_KNOWN + publicPathOf(config, route), route],
      [WELL_KNOWN + route.pathPrefix, route],
    ]),
  );
  if (described.length === 1) byPath.set(WELL_KNOWN, described[0]!);
  const find = routeOf(config.routes);
  return (x) => {
    if (!x.path.startsWith(WELL_KNOWN)) return answerPreflight(x, find);
    const route = byPath.get(x.path);
    return route === undefined
      ? undefined
      : answerMetadata(x, () => resourceMetadata(config, route, x.origins[0]!));
  };
}

const TO_ANYONE = ['Access-Control-Allow-Origin', '*', 'Cache-Control', `max-age=${MAX_AGE_SECONDS}`];

function answerMetadata({ method }: Accepted, metadata: () => unknown): LocalAnswer {
  switch (method) {
    case 'OPTIONS':
      return {
        status: 204,
        headers: [
          ...TO_ANYONE,
          'Access-Control-Allow-Methods',
          'GET, HEAD',
          'Access-Control-Allow-Headers',
          'MCP-Protocol-Version',
        ],
        body: '',
      };
    case 'GET':
    case 'HEAD':
      return {
        status: 200,
        headers: [...TO_ANYONE, 'Content-Type', 'application/json'],
        body: JSON.stringify(metadata()),
      };
    default:
      return { status: 405, headers: ['Allow', 'GET, HEAD, OPTIONS'], body: '' };
  }
}

function answerPreflight(x: Accepted, find: ReturnType<typeof routeOf>): LocalAnswer | undefined {
  if (x.method !== 'OPTIONS') return undefined;
  const origin = x.headers.get('origin');
  if (origin === undefined || x.headers.get('access-control-request-method') === undefined) return undefined;
  const route = find(x.path)?.route;
  if (route?.kind !== 'mcp' || !route.allowedOrigins.includes(origin)) return undefined;
  return {
    status: 204,
    headers: [
      'Access-Control-Allow-Origin',
      origin,
      'Vary',
      'Origin, Access-Control-Request-Headers',
      'Access-Control-Allow-Methods',
      route.methods.join(', '),
      'Access-Control-Allow-Headers',
      allowedHeaders(x),
      'Access-Control-Max-Age',
      String(MAX_AGE_SECONDS),
    ],
    body: '',
  };
}
