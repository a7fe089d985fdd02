/** The answer of `/status`, from whoever gave it; a newer gateway may say more. */
import * as z from 'zod/mini';
import type { GatewayStatus } from '../observe/status.js';

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
