import { parseHtu } from './uri.js';

/**
 * RFC 9449 4.3 item 9: whether `htu` is the URI of this request, query and fragment left out.
 * The expected URI is a configured public origin with the path as received: a client cannot choose it through Host.
 * @param path canonical, see `canonicalPath`
 */
export function htuFits(
  htu: string,
  publicOrigins: readonly string[],
  path: string,
  strict: boolean,
): boolean {
  for (const origin of publicOrigins) {
    if (htu.length === origin.length + path.length && htu.startsWith(origin) && htu.endsWith(path))
      return true;
  }
  const parsed = parseHtu(htu);
  if (parsed === undefined || (strict && parsed.hasQueryOrFragment)) return false;
  return publicOrigins.some((origin) => parsed.uri === origin + path);
}

/** An htu as logs may have it: clients put secrets into queries. */
export const withoutQuery = (htu: string): string => htu.split(/[?#]/, 1)[0]!;
