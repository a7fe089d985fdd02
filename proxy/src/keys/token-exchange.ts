import { hash } from 'node:crypto';
import type { Clock } from '../clock.js';
import { Lru } from '../checks/lru.js';
import { parseJsonObject, type JsonObject } from '../checks/strict-json.js';
import type { ExchangeConfig } from '../config/index.js';
import type { Egress } from './egress-proxy.js';
import { fetchText, StatusError } from './fetch-text.js';
import type { Exchanger, Exchanged } from './key-source.js';
import type { SecretFile } from './secret-file.js';
import { SharedQuestions } from './shared-questions.js';

export interface TokenExchangeOptions {
  readonly now: Clock;
  readonly secret: SecretFile;
  readonly egress: Egress | undefined;
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
 * RFC 8693: the caller's token for one that is the backend's, from the authorization server, with
 * client_secret_basic. Kept until it expires, and never longer than the caller's; one question a token at a time.
 */
export function createTokenExchange(
  config: ExchangeConfig,
  { now, secret, egress, onProblem }: TokenExchangeOptions,
): Exchanger {
  const cache = new Lru<string, Known>(config.maxEntries);
  const questions = new SharedQuestions<Exchanged>();

  const ask = async (token: string, key: string, notAfter: number): Promise<Exchanged> => {
    const password = secret.value();
    if (password === undefined)
      return { kind: 'unavailable', why: `${config.clientSecret.file} holds no secret` };
    try {
      const text = await fetchText(config.url, {
        caFile: config.caFile,
        timeoutSeconds: config.timeoutSeconds,
        maxBytes: MAX_BYTES,
        egress,
        form: { body: exchangeForm(config, token), authorization: basic(config.clientId, password) },
      });
      const issued = readIssued(parseJsonObject(text));
      const until = Math.min(now() + issued.expiresIn - MARGIN_SECONDS, notAfter);
      cache.set(key, { token: issued.token, until });
      return { kind: 'token', token: issued.token };
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

/** RFC 8693 2.1. */
function exchangeForm({ audience, resource, scopes }: ExchangeConfig, token: string): string {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: ACCESS_TOKEN,
    requested_token_type: ACCESS_TOKEN,
  });
  if (audience !== undefined) form.set('audience', audience);
  if (resource !== undefined) form.set('resource', resource);
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  return form.toString();
}

/** RFC 6749 2.3.1: both are form-encoded first. */
function basic(clientId: string, password: string): string {
  const credentials = `${encodeURIComponent(clientId)}:${encodeURIComponent(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

/** RFC 8693 2.2.1. Throws for what is no bearer token of access. */
function readIssued(answer: JsonObject | undefined): { readonly token: string; readonly expiresIn: number } {
  const {
    access_token: token,
    token_type: type,
    issued_token_type: issuedType = ACCESS_TOKEN,
    expires_in: expiresIn,
  } = answer ?? {};
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
    throw new Error('the answer has no access_token');
  // A bound token would need a key of ours.
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer')
    throw new Error("the answer's token_type is not Bearer");
  if (issuedType !== ACCESS_TOKEN && issuedType !== JWT)
    throw new Error("the answer's issued_token_type is no access token");
  return { token, expiresIn: typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : UNSTATED_SECONDS };
}
