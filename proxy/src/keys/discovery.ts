import { parseJsonObject } from '../checks/strict-json.js';
import { fetchText, StatusError, type FetchOptions } from './fetch-text.js';

const MAX_BYTES = 1 << 18;

/**
 * Where an issuer publishes its key set, by its own metadata: RFC 8414 3, and where there is none of that kind
 * OpenID Connect Discovery 4. Rejects when neither names one, or is another issuer's.
 */
export async function discoverJwksUri(
  issuer: string,
  limits: Omit<FetchOptions, 'maxBytes' | 'form'>,
): Promise<string> {
  const problems: string[] = [];
  for (const url of metadataUrls(issuer)) {
    const text = await fetchText(url, { ...limits, maxBytes: MAX_BYTES }).catch((cause: unknown) => {
      if (cause instanceof StatusError) return cause;
      throw new Error(`${url}: ${(cause as Error).message}`, { cause });
    });
    const named = text instanceof StatusError ? { problem: text.message } : jwksUriIn(text, issuer);
    if (typeof named === 'string') return named;
    problems.push(`${url}: ${named.problem}`);
  }
  throw new Error(problems.join('; '));
}

/** RFC 8414 3.1 puts the name before the issuer's path, OpenID Connect after it; both drop a slash at its end. */
function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}

/** RFC 8414 3.3: metadata that names another issuer must not be used; the names are compared exactly. */
function jwksUriIn(text: string, issuer: string): string | { readonly problem: string } {
  const metadata = parseJsonObject(text);
  if (metadata === undefined) return { problem: 'the metadata must be a JSON object' };
  if (metadata.issuer !== issuer) return { problem: `the metadata must be of the issuer ${issuer}` };
  const { jwks_uri: uri } = metadata;
  if (typeof uri !== 'string' || !URL.canParse(uri)) return { problem: 'jwks_uri must be a URL' };
  const { protocol, username, password } = new URL(uri);
  const isAllowed = protocol === 'https:' || (protocol === 'http:' && issuer.startsWith('http:'));
  if (!isAllowed) return { problem: 'jwks_uri must be an https URL, as the issuer is' };
  if (username !== '' || password !== '') return { problem: 'jwks_uri must have no credentials' };
  return uri;
}
