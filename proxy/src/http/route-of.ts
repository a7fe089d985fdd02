import { tolerantReading } from '../checks/uri.js';
import type { Route } from '../config/index.js';

/**
 * The route of a path; `lured`: another one, with a longer prefix, in the eyes of a backend that is more
 * tolerant than the gateway.
 */
export type Found = { readonly route: Route; readonly lured?: Route };

/**
 * Which route a canonical path belongs to: the longest prefix wins, on segment borders; order in the config
 * means nothing. A backend may ignore case, trim what stands around a name, or end a name at the first
 * delimiter: where routes lie below one another, such a path would be checked by the rules of the shorter prefix
 * and served as the longer one.
 */
export function routeOf(routes: readonly Route[]): (path: string) => Found | undefined {
  const longestFirst = [...routes].sort((a, b) => b.pathPrefix.length - a.pathPrefix.length);
  const below = new Map(
    longestFirst.map((route) => [
      route,
      longestFirst
        .filter((other) => other !== route && isBelow(other.pathPrefix, route.pathPrefix))
        .map((longer) => ({ longer, pattern: tolerantPattern(longer.pathPrefix) })),
    ]),
  );
  return (path) => {
    const route = longestFirst.find(
      (r) =>
        r.pathPrefix === '/' ||
        path === r.pathPrefix ||
        (path.startsWith(r.pathPrefix) && path.charCodeAt(r.pathPrefix.length) === 0x2f),
    );
    if (route === undefined) return undefined;
    const longer = below.get(route)!;
    if (longer.length === 0 || path.length === route.pathPrefix.length) return { route };
    const read = tolerantReading(path);
    const lured = longer.find(({ pattern }) => pattern.test(read))?.longer;
    return lured === undefined ? { route } : { route, lured };
  };
}

const isBelow = (path: string, prefix: string): boolean =>
  prefix === '/' || path.toLowerCase().startsWith(`${prefix.toLowerCase()}/`);

/** Each name of the prefix, whatever stands around it that is no part of a name. */
function tolerantPattern(pathPrefix: string): RegExp {
  const names = pathPrefix.toLowerCase().split('/').slice(1);
  const parts = names.map((name) => `/[^a-z0-9._~/-]*${name.replaceAll('.', '\\.')}(?:[^a-z0-9_~/-][^/]*)?`);
  return new RegExp(`^${parts.join('')}(?:/|$)`);
}
