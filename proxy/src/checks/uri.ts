/**
 * URIs as RFC 3986 has them. WHATWG `URL` folds backslashes, userinfo, raw non-ASCII and doubled slashes into something else, so a
 * proof for one URI would match another; nothing here uses it.
 */

const UNRESERVED = /[A-Za-z0-9._~-]/;
/** RFC 3986 3.3: "/" and pchar, at least one "/". */
const PATH = /^(?:\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+$/;
/** RFC 3986 3.2.2 without IPvFuture; userinfo has no place in htu (RFC 9110 4.2.4). */
const HTTP_URI =
  /^([A-Za-z]+):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::([0-9]{0,5}))?([^?#]*)(\?[^#]*)?(#.*)?$/;

/** RFC 3986 6.2.2.1, 6.2.2.2: upper-case %XX, unreserved characters decoded. */
export function normalisePercent(text: string): string {
  return text.includes('%')
    ? text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => {
        const char = String.fromCharCode(parseInt(hex, 16));
        return UNRESERVED.test(char) ? char : `%${hex.toUpperCase()}`;
      })
    : text;
}

/**
 * The path of a request in canonical form, or `undefined` for one that a backend might read differently: dot or empty segments, encoded
 * separators, NUL, controls, path parameters, backslashes, octets that are no UTF-8.
 */
export function canonicalPath(raw: string): string | undefined {
  if (SIMPLE.test(raw)) return raw;
  if (!PATH.test(raw) || raw.includes(';')) return undefined;
  const path = normalisePercent(raw);
  if (
    path.includes('//') ||
    /%(2F|5C|0[0-9A-F]|1[0-9A-F]|7F|25|3B)/.test(path) ||
    /\/\.\.?(?:\/|$)/.test(path)
  )
    return undefined;
  return isUtf8(path) ? path : undefined;
}

/** Octets that are no UTF-8 are read by some as what they almost are: %C0%AF as "/" (RFC 3629 3, 10). */
function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
/** The usual path, settled with one test: no percent, no dots at the start of a segment, no empty segment but a last one. */
const SIMPLE = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+\/?$/;

/** RFC 3986 5.2.4 on a path that starts with "/". */
function removeDotSegments(path: string): string {
  if (!path.includes('/.')) return path;
  const out: string[] = [];
  const segments = path.split('/').slice(1);
  segments.forEach((segment, i) => {
    const last = i === segments.length - 1;
    if (segment === '..') out.pop();
    if (segment === '.' || segment === '..') {
      if (last) out.push('');
    } else {
      out.push(segment);
    }
  });
  return `/${out.join('/')}`;
}

export interface Htu {
  /** scheme://authority/path after syntax- and scheme-based normalisation, without query and fragment. */
  readonly uri: string;
  readonly hasQueryOrFragment: boolean;
}

/** RFC 9449 4.3 with RFC 3986 6.2.2 and 6.2.3: an htu in normal form; `undefined` if it is not an absolute http(s) URI. */
export function parseHtu(htu: string): Htu | undefined {
  const match = HTTP_URI.exec(htu);
  if (match === null || !/^[\x21-\x7e]+$/.test(htu)) return undefined;
  const [, rawScheme = '', rawHost = '', port = '', rawPath = '', query, fragment] = match;
  const scheme = rawScheme.toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') return undefined;
  const path = rawPath === '' ? '/' : rawPath;
  if (!PATH.test(path) || /%(?![0-9A-Fa-f]{2})/.test(rawHost)) return undefined;
  const number = port === '' ? '' : String(Number(port));
  if (number !== '' && Number(number) > 65535) return undefined;
  const authority =
    normalisePercent(rawHost).toLowerCase() +
    (number === '' || number === (scheme === 'http' ? '80' : '443') ? '' : `:${number}`);
  return {
    uri: `${scheme}://${authority}${removeDotSegments(normalisePercent(path))}`,
    hasQueryOrFragment: query !== undefined || fragment !== undefined,
  };
}

/** RFC 9110 7.2: uri-host, not empty as http has it (4.2.1), and perhaps a port. */
export const isHost = (text: string): boolean =>
  /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(:[0-9]{0,5})?$/.test(text);

/** scheme://authority in normal form; `undefined` for anything else. */
export function parseOrigin(text: string): string | undefined {
  if (/[/?#]/.test(text.replace(/^[A-Za-z]+:\/\//, ''))) return undefined;
  return parseHtu(text)?.uri.slice(0, -1); // its path is "/"
}
