/** The answer of `/status`, from whoever gave it; a newer gateway may say more. */
import * as z from 'zod/mini';
import type { GatewayStatus } from '../observe/status.js';
import { CliError } from './command.js';
import { send } from './http-client.js';
import { requestUrl } from './minting.js';
import { visible } from './visible.js';

const MOST_TOLD = 100;

const texts = z.array(z.string());
const counted = z.array(z.object({ reason: z.string(), count: z.number(), lastAt: z.string() }));
const counts = { answered: z.number(), refused: z.number(), refusals: counted, wouldRefuse: counted };

const status = z.object({
  time: z.string(),
  ready: z.boolean(),
  waitingFor: texts,
  build: z.object({ version: z.string(), code: z.string(), node: z.string() }),
  startedAt: z.string(),
  workers: z.number(),
  memory: z.object({
    rssBytes: z.number(),
    heapUsedBytes: z.number(),
    limitBytes: z.optional(z.number()),
  }),
  config: z.object({ hash: z.string(), loadedAt: z.string() }),
  notTaken: texts,
  weakenings: texts,
  replay: z.object({
    store: z.string(),
    server: z.optional(z.string()),
    reachable: z.boolean(),
    remembersSince: z.optional(z.string()),
    entries: z.optional(z.number()),
  }),
  issuers: z.array(
    z.object({
      name: z.string(),
      issuer: z.string(),
      keys: z.number(),
      kids: texts,
      ageSeconds: z.optional(z.number()),
    }),
  ),
  certificates: z.array(z.object({ file: z.string(), expiresAt: z.string() })),
  routes: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      pathPrefix: z.string(),
      profile: z.string(),
      mode: z.string(),
      ...counts,
    }),
  ),
  noRoute: z.object(counts),
  openStreams: z.number(),
});

/** `undefined`: it is none. */
export function readStatus(text: string): GatewayStatus | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = status.safeParse(json);
  // A reason or a store of a newer gateway is a word that is only shown.
  return parsed.success ? (parsed.data as GatewayStatus) : undefined;
}

/** @param text that of `--admin` */
export function statusUrl(text: string): URL {
  const url = requestUrl(text, '--admin');
  if (url.pathname !== '/' || url.search !== '')
    throw new CliError(
      '--admin',
      'must be the URL of the admin port, without a path',
      JSON.stringify(text),
      `did you mean ${url.origin}?`,
    );
  return new URL('/status', url);
}

/** Rejects for what is no status of a gateway. */
export async function askStatus(url: URL): Promise<GatewayStatus> {
  const request = { url, method: 'GET', headers: {}, body: undefined, ca: undefined };
  const { status: code, body } = await send(request, true);
  const found = code === 200 ? readStatus(body) : undefined;
  if (found !== undefined) return found;
  const told = visible(body.trim().slice(0, MOST_TOLD));
  throw new Error(
    `${url.href}: must be the status of a gateway, got ${code} ${told}; name its admin port (9090), not ` +
      'that of clients',
  );
}
