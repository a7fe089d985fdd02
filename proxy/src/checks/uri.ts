/**
 * URIs as RFC 3986 has them. WHATWG `URL` folds backslashes, userinfo, raw non-ASCII and doubled slashes into
 * something else, so a proof for one URI would match another; nothing here uses it.
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
 * The path of a request (RFC 9112 3.2.1) in canonical form, or `undefined` for one that a backend might read
 * differently: dot or empty segments, encoded separators, NUL, controls, path parameters, backslashes, octets that are
 * no UTF-8, and characters that some systems turn into one of these.
 */
export function canonicalPath(raw: string): string | undefined {
  if (SIMPLE.test(raw)) return raw;
  if (!PATH.test(raw) || raw.includes(';')) return undefined;
  const path = normalisePercent(raw);
  if (path.includes('//') || /%(2F|5C|0[0-9A-F]|1[0-9A-F]|7F|25|3B)/.test(path)) return undefined;
  const text = decoded(path);
  if (text === undefined) return undefined;
  // Read once more as Unicode folds it (NFKC): a fullwidth solidus is "/" to some, two leader dots are "..".
  const folded = text.normalize('NFKC');
  const fits =
    !SEPARATORS.test(folded) && folded.split('/').length === text.split('/').length && !DOTS.test(folded);
  return fits ? path : undefined;
}

/**
 * Controls and line ends, delimiters that must not come encoded, and what code pages make "/" or "\\" of (a yen
 * or won sign, slashes of mathematics).
 */
const SEPARATORS = /[\\;%\p{Cc}\p{Zl}\p{Zp}\u00a5\u20a9\u2044\u2215\u2216\u29f5\u29f8\u29f9]/u;
/** A segment that is nothing but dots once what stands around them is trimmed: "..", "... ", "%20..", "..%3F". */
const DOTS = /\/[^\p{L}\p{N}._~/-]*\.+(?![\p{L}\p{N}._~-])/u;

/**
 * A canonical path as the most tolerant of backends would read it: letters without case, accents and forms of
 * writing, and without what is never shown. What would end a segment for it (a space, "#", "?", a dot) is left
 * in.
 */
export function tolerantReading(path: string): string {
  if (!path.includes('%')) return path.toLowerCase();
  const bare = decodeURIComponent(path)
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '');
  // Upper case first: it also folds the long s, the dotless i and the Kelvin sign.
  return bare.toUpperCase().toLowerCase();
}

/** Octets that are no UTF-8 are read by some as what they almost are: %C0%AF as "/" (RFC 3629 3, 10). */
function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
/**
 * The usual path, settled with one test: no percent, no dots at the start of a segment, no empty segment but a
 * last one.
 */
const SIMPLE = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+\/?$/;

/** RFC 3986 5.2.4 on a path that starts with "/". */
export function removeDotSegments(path: string): string {
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

/**
 * RFC 9449 4.3 with RFC 3986 6.2.2 and 6.2.3: an htu in normal form; `undefined` if it is not an absolute
 * http(s) URI.
 */
export function parseHtu(htu: string): Htu | undefined {
  const match = HTTP_URI.exec(htu);
  if (match === null || !VISIBLE_ASCII.test(htu)) return undefined;
  const [, rawScheme, rawHost, rawPort, rawPath, query, fragment] = match;
  const scheme = rawScheme!.toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') return undefined;
  const authority = normaliseAuthority(scheme, rawHost!, rawPort);
  const path = rawPath === '' ? '/' : rawPath!;
  if (authority === undefined || !PATH.test(path)) return undefined;
  return {
    uri: `${scheme}://${authority}${removeDotSegments(normalisePercent(path))}`,
    hasQueryOrFragment: query !== undefined || fragment !== undefined,
  };
}

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/;

/** RFC 3986 6.2.2.1 and 6.2.3: the host in lower case, and the port where it isn't the scheme's own. */
function normaliseAuthority(scheme: 'http' | 'https', host: string, port = ''): string | undefined {
  if (BROKEN_ESCAPE.test(host)) return undefined;
  const name = normalisePercent(host).toLowerCase();
  if (port === '') return name;
  const number = Number(port);
  if (number > 65535) return undefined;
  return number === (scheme === 'http' ? 80 : 443) ? name : `${name}:${number}`;
}

/** RFC 9110 7.2: uri-host, not empty as http has it (4.2.1), and perhaps a port. */
export const isHost = (text: string): boolean =>
  /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(:[0-9]{0,5})?$/.test(text);

/** scheme://authority in normal form; `undefined` for anything else. */
export function parseOrigin(text: string): string | undefined {
  if (/[/?#]/.test(text.replace(/^[A-Za-z]+:\/\//, ''))) return undefined;
  return parseHtu(text)?.uri.slice(0, -1); // its path is "/"
}
