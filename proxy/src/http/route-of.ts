import type { Route } from '../config/index.js';

/** Which route a canonical path belongs to: the longest prefix wins, on segment borders; order in the config means nothing. */
export function routeOf(routes: readonly Route[]): (path: string) => Route | undefined {
  const longestFirst = [...routes].sort((a, b) => b.pathPrefix.length - a.pathPrefix.length);
  return (path) =>
    longestFirst.find(
      (r) =>
        path === r.pathPrefix ||
        (path.startsWith(r.pathPrefix) && path.charCodeAt(r.pathPrefix.length) === 0x2f),
    );
}
