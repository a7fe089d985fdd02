import type { Route } from '../config/index.js';
import { routeOf } from '../http/route-of.js';
import type { Accepted, Routed } from '../pipeline/evidence.js';
import { deny } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';

/** The route of the path, for this method, framing and Origin. */
export function matchRoute(routes: readonly Route[]): Stage<Accepted, Routed> {
  const find = routeOf(routes);
  return (x) => {
    const found = find(x.path);
    if (found === undefined) return deny('no_route');
    const { route, lured } = found;
    x.facts.route = route.name;
    if (lured !== undefined)
      return deny('bad_path', `a tolerant backend would read it as ${lured.pathPrefix}`);
    if (!(route.methods as readonly string[]).includes(x.method))
      return deny('method_not_allowed', `got ${x.method}, allowed ${route.methods.join(', ')}`);
    // RFC 9110 9.3.1, 9.3.5: content there has no meaning, so no two readers need agree on it; no rule for
    // messages would see it. Of a body without a length await-end sees whether it is empty.
    if (x.method !== 'POST' && x.framing !== undefined && x.framing !== 'chunked' && Number(x.framing) !== 0)
      return deny('malformed_request', `a body in ${x.method}`);
    // MCP transports: an Origin that is not listed is a browser under somebody else's control (DNS rebinding).
    const origin = x.headers.get('origin');
    if (origin !== undefined && !(route.kind === 'mcp' && route.allowedOrigins.includes(origin)))
      return deny('origin_refused');
    if (origin !== undefined) x.reply.corsOrigin = origin;
    return grow(x, { route });
  };
}
