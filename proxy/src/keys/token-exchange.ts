import { hash } from 'node:crypto';
import type { Clock } from '../clock.js';
import { Lru } from '../checks/lru.js';
import { parseJsonObject } from '../checks/strict-json.js';
import type { ExchangeConfig } from '../config/index.js';
import { fetchText, StatusError } from './fetch-text.js';
import type { Exchanger, Exchanged } from './key-source.js';
import type { SecretFile } from './secret-file.js';
import { SharedQuestions } from './shared-questions.js';

export interface TokenExchangeOptions {
  readonly now: Clock;
  readonly secret: SecretFile;
  readonly onProblem: (problem: string) => void;
}

const MAX_BYTES = 65_536;
/** An exchanged token is left this long before it expires: it still has to arrive. */
const MARGIN_SECONDS = 5;
/** Of an answer that names no `expires_in`. */
const UNSTATED_SECONDS = 30;
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
/** RFC 8693 3: an access token too, where it is one. */
const JWT = 'urn:ietf:params:oauth:token-type:jwt';

interface Known {
  readonly token: string;
  readonly until: number;
}

/**
 * RFC 8693: the caller's token for one that is the backend's, from the authorization server, with client_secret_basic. Kept until it expires, and never longer than the caller's; one
 * question a token at a time.
 */
export function createTokenExchange(
  config: ExchangeConfig,
  { now, secret, onProblem }: TokenExchangeOptions,
): Exchanger {
  const cache = new Lru<string, Known>(config.maxEntries);
  const questions = new SharedQuestions<Exchanged>();

  const ask = async (token: string, key: string, notAfter: number): Promise<Exchanged> => {
    const password = secret.value();
    if (password === undefined)
      return { kind: 'unavailable', why: `${config.clientSecret.file} holds no secret` };
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: ACCESS_TOKEN,
      requested_token_type: ACCESS_TOKEN,
    });
    if (config.audience !== undefined) form.set('audience', config.audience);
    if (config.resource !== undefined) form.set('resource', config.resource);
    if (config.scopes.length > 0) form.set('scope', config.scopes.join(' '));
    // RFC 6749 2.3.1: both are form-encoded first.
    const basic = Buffer.from(
      `${encodeURIComponent(config.clientId)}:${encodeURIComponent(password)}`,
    ).toString('base64');
    try {
      const text = await fetchText(config.url, {
        caFile: config.caFile,
        timeoutSeconds: config.timeoutSeconds,
        maxBytes: MAX_BYTES,
        form: { body: form.toString(), authorization: `Basic ${basic}` },
      });
      const answer = parseJsonObject(text);
      // RFC 8693 2.2.1; a bound token would need a key of ours.
      if (typeof answer?.access_token !== 'string' || !/^[\x21-\x7e]+$/.test(answer.access_token))
        throw new Error('the answer has no access_token');
      if (typeof answer.token_type !== 'string' || answer.token_type.toLowerCase() !== 'bearer')
        throw new Error("the answer's token_type is not Bearer");
      // 2.2.1 again: what else it may issue is no bearer of access.
      if (
        answer.issued_token_type !== undefined &&
        answer.issued_token_type !== ACCESS_TOKEN &&
        answer.issued_token_type !== JWT
      )
        throw new Error("the answer's issued_token_type is no access token");
      const seconds =
        typeof answer.expires_in === 'number' && answer.expires_in > 0 ? answer.expires_in : UNSTATED_SECONDS;
      cache.set(key, {
        token: answer.access_token,
        until: Math.min(now() + seconds - MARGIN_SECONDS, notAfter),
      });
      return { kind: 'token', token: answer.access_token };
    } catch (cause) {
      // 400: it says no to this token (RFC 8693 2.2.2). Anything else is between it and us.
      if (cause instanceof StatusError && cause.status === 400) return { kind: 'refused' };
      const why = `${config.url}: ${(cause as Error).message}`;
      onProblem(`token exchange: ${why}`);
      return { kind: 'unavailable', why };
    }
  };
  return {
    forget: (token) => {
      cache.delete(hash('sha256', token, 'base64url'));
    },
    exchange(token, notAfter, network) {
      const key = hash('sha256', token, 'base64url');
      const known = cache.get(key);
      if (known !== undefined && known.until > now()) return { kind: 'token', token: known.token };
      return questions.ask(network, key, () => ask(token, key, notAfter)) ?? { kind: 'busy' };
    },
    close() {},
  };
}
