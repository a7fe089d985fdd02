import type { Clock } from '../clock.js';
import { Lru } from '../checks/lru.js';
import { parseJsonObject } from '../checks/strict-json.js';
import type { IntrospectionConfig } from '../config/index.js';
import type { Egress } from './egress-proxy.js';
import { fetchText } from './fetch-text.js';
import type { Introspection, Introspector } from './key-source.js';
import type { SecretFile } from './secret-file.js';
import { SharedQuestions } from './shared-questions.js';

export interface IntrospectorOptions {
  readonly now: Clock;
  readonly secret: SecretFile;
  readonly egress: Egress | undefined;
  readonly onProblem: (problem: string) => void;
}

const MAX_BYTES = 65_536;
/** "Not active" is believed this long at most: a token may be introduced to its server just after it was made. */
const INACTIVE_SECONDS = 5;

interface Known {
  readonly said: Introspection;
  readonly until: number;
}

/**
 * RFC 7662 with client_secret_basic: one question a token at a time, answers kept for `cacheSeconds` and never
 * past the token's exp (4).
 */
export function createIntrospector(
  config: IntrospectionConfig,
  { now, secret, egress, onProblem }: IntrospectorOptions,
): Introspector {
  const cache = new Lru<string, Known>(config.maxEntries);
  const questions = new SharedQuestions<Introspection>();

  const ask = async (token: string, hash: string): Promise<Introspection> => {
    const password = secret.value();
    if (password === undefined) return 'unavailable';
    // RFC 6749 2.3.1: both are form-encoded first.
    const basic = Buffer.from(
      `${encodeURIComponent(config.clientId)}:${encodeURIComponent(password)}`,
    ).toString('base64');
    try {
      const text = await fetchText(config.url, {
        caFile: config.caFile,
        timeoutSeconds: config.timeoutSeconds,
        maxBytes: MAX_BYTES,
        egress,
        form: {
          body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
          authorization: `Basic ${basic}`,
        },
      });
      const answer = parseJsonObject(text);
      if (typeof answer?.active !== 'boolean') throw new Error('the answer has no "active"');
      const said = answer.active ? answer : 'inactive';
      const exp = typeof answer.exp === 'number' ? answer.exp : Infinity;
      cache.set(hash, {
        said,
        until: Math.min(
          now() + (answer.active ? config.cacheSeconds : Math.min(INACTIVE_SECONDS, config.cacheSeconds)),
          exp,
        ),
      });
      return said;
    } catch (cause) {
      onProblem(`${config.url}: ${(cause as Error).message}; tokens that are not known are refused`);
      return 'unavailable';
    }
  };
  return {
    introspect(token, hash, network) {
      const known = cache.get(hash);
      if (known !== undefined && known.until > now()) return known.said;
      return questions.ask(network, hash, () => ask(token, hash)) ?? 'busy';
    },
    close() {},
  };
}
