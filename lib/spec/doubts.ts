/** What a gateway may say and seldom means. It fails closed, and is right for somebody: told at synth, not refused. */
import { GatewaySpec, mcpRoutes } from './gateway-spec';
import { issuersOf } from './issuers';

/**
 * Requests and notifications of MCP from 2025-03-26 to 2026-07-28, also those of its tasks extension.
 *
 * @see https://modelcontextprotocol.io/specification
 */
const METHODS = [
  'initialize',
  'ping',
  'completion/complete',
  'logging/setLevel',
  'notifications/cancelled',
  'notifications/elicitation/complete',
  'notifications/initialized',
  'notifications/message',
  'notifications/progress',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/roots/list_changed',
  'notifications/tasks/status',
  'notifications/tools/list_changed',
  'prompts/get',
  'prompts/list',
  'resources/list',
  'resources/read',
  'resources/subscribe',
  'resources/templates/list',
  'resources/unsubscribe',
  'server/discover',
  'subscriptions/listen',
  'tasks/cancel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/update',
  'tools/call',
  'tools/list',
];

export function doubtsOf(spec: GatewaySpec): string[] {
  const { name, namespace } = spec;
  return [...clientDoubts(spec), ...issuerDoubts(spec), ...methodDoubts(spec)].map(
    (doubt) => `${name} in ${namespace}: ${doubt}`,
  );
}

const clientDoubts = ({ clients }: GatewaySpec): string[] =>
  clients.length > 0
    ? []
    : ['nobody can connect, since no client is named; call allowFrom, or make a GatewayExposure'];

const issuerDoubts = (spec: GatewaySpec): string[] =>
  issuersOf(spec)
    .filter(({ issuer }) => issuer.endsWith('/'))
    .map(
      ({ issuer }) =>
        `issuer ${JSON.stringify(issuer)} is compared exactly, with the "/" at its end; see that "issuer" in ` +
        `${issuer}.well-known/openid-configuration has it too`,
    );

const methodDoubts = (spec: GatewaySpec): string[] =>
  mcpRoutes(spec).flatMap(({ name, allow = [] }) =>
    allow
      .filter(({ method }) => !isKnown(method))
      .map(
        ({ method }) =>
          `route "${name}" allows ${JSON.stringify(method)}, which is no method of MCP${hint(method)}`,
      ),
  );

const isKnown = (method: string) =>
  method.endsWith('/*')
    ? METHODS.some((known) => known.startsWith(method.slice(0, -1)))
    : METHODS.includes(method);

/** Methods with the same first or last word. */
function hint(method: string): string {
  const [first, last] = [method.split('/')[0], method.split('/').at(-1)!];
  const near = METHODS.filter((known) => known.startsWith(`${first}/`) || known.endsWith(`/${last}`));
  return near.length === 0 ? '' : `; did you mean one of ${near.join(', ')}?`;
}
