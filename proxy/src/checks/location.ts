import { canonicalPath, parseOrigin, removeDotSegments } from './uri.js';

/** Where a backend believes it is, and where clients reach it. Paths are without a "/" at their end. */
export interface PublicPlace {
  /** What the backend may call itself: `host:port` and `host`, in lower case. */
  readonly authorities: ReadonlySet<string>;
  /** Path that requests are sent with. */
  readonly sentPath: string;
  /** Path that the backend sees: another one where a further proxy rewrites it. */
  readonly backendPath: string;
  /** Path that clients see. */
  readonly publicPath: string;
}

/** RFC 3986 appendix B: scheme, authority, path, query, fragment. */
const REFERENCE = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/;
/** RFC 3986 2: nothing that a browser would drop (tabs), or read as another character ("\"). */
const URI_CHARACTERS = /^(?:[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/;

/**
 * A `Location` of a backend (RFC 9110 10.2.2) as its clients can use it: an absolute path under the route's public
 * one, so that it leads nowhere but to the route itself. `undefined`: it leads elsewhere, or two readers could
 * disagree about where.
 *
 * @param requestPath that was asked of the backend, with its query: relative references begin there
 */
export function publicLocation(
  location: string,
  requestPath: string,
  place: PublicPlace,
): string | undefined {
  if (!URI_CHARACTERS.test(location)) return undefined;
  const [, scheme, authority, path = '', said, fragment = ''] = REFERENCE.exec(location)!;
  if (!isOwn(scheme, authority, place)) return undefined;
  const { resolved, query } = resolve({ authority, path, query: said }, seenByBackend(requestPath, place));
  const target = canonicalPath(removeDotSegments(resolved));
  const rest = target === undefined ? undefined : restUnder(place.backendPath, target);
  return rest === undefined ? undefined : (place.publicPath + rest || '/') + query + fragment;
}

/** No authority at all, or the backend's own; `//host` takes the scheme of whoever reads it, and is none of them. */
function isOwn(
  scheme: string | undefined,
  authority: string | undefined,
  { authorities }: PublicPlace,
): boolean {
  if (scheme === undefined && authority === undefined) return true;
  if (scheme === undefined || authority === undefined) return false;
  const origin = parseOrigin(`${scheme}://${authority}`);
  return origin !== undefined && authorities.has(origin.slice(origin.indexOf('//') + 2));
}

interface PathAndQuery {
  readonly path: string;
  /** With its "?"; absent: none was said. */
  readonly query: string | undefined;
}

function seenByBackend(requestPath: string, { sentPath, backendPath }: PublicPlace): PathAndQuery {
  const mark = requestPath.indexOf('?');
  const [path, query] =
    mark === -1 ? [requestPath, ''] : [requestPath.slice(0, mark), requestPath.slice(mark)];
  return { path: sentPath === backendPath ? path : backendPath + (restUnder(sentPath, path) ?? ''), query };
}

/** RFC 3986 5.2.2 and 5.2.3. */
function resolve(
  { authority, path, query = '' }: PathAndQuery & { readonly authority: string | undefined },
  base: PathAndQuery,
): { readonly resolved: string; readonly query: string } {
  if (authority !== undefined) return { resolved: path === '' ? '/' : path, query };
  if (path === '') return { resolved: base.path, query: query === '' ? (base.query ?? '') : query };
  if (path.startsWith('/')) return { resolved: path, query };
  return { resolved: base.path.slice(0, base.path.lastIndexOf('/') + 1) + path, query };
}

/** What follows a prefix that ends on a segment border. */
function restUnder(prefix: string, path: string): string | undefined {
  if (path === prefix) return '';
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined;
}
