/** What of a gateway may be set by a chart's values: replicas, images and resources. Never a secret. */
import { GatewaySpec } from '../spec/gateway-spec';
import { mebibytesIn } from '../support/quantity';
import { memberAt, Path, Setting } from './helm-chart';

interface Container {
  readonly name: string;
  readonly command?: readonly string[];
}

const POD = ['spec', 'template', 'spec'];
const CONTAINERS = [...POD, 'containers'];
const SIDECARS = [...POD, 'initContainers'];
/** What stands in quotes of YAML once it is set: no quote, backslash or white space ends or changes them. */
const PINNED = '^[^@\\s"\\\\]+@sha256:[0-9a-f]{64}$';
const TAGGED = '^[^\\s"\\\\]+$';
const HEAP = '--max-old-space-size=';

/**
 * What may be set where it stands: a field that a patch of the user takes out stays out.
 * @param deployment as the app emits it, with the patches of the user
 */
export function chartSettings(spec: GatewaySpec, deployment: object): Setting[] {
  const settings = [
    ...replicas(spec, deployment),
    ...[CONTAINERS, SIDECARS].flatMap((list) => settingsOfList(spec, deployment, list)),
  ];
  const isThere = ({ path }: { readonly path: Path }) => memberAt(deployment, path) !== undefined;
  return settings.filter(({ places }) => places.every(isThere));
}

/** Of the containers that are the gateway's own: a user's patch may have added others. */
function settingsOfList(spec: GatewaySpec, deployment: object, list: Path): Setting[] {
  const containers = (memberAt(deployment, list) ?? []) as readonly Container[];
  return containers.flatMap(({ name }, at) => {
    const under = { 'dpop-proxy': [], agentgateway: ['dataPlane'] }[name];
    if (under === undefined) return [];
    return containerSettings(spec, deployment, [...list, at]).map((setting) => ({
      ...setting,
      name: [...under, ...setting.name],
    }));
  });
}

/** A memory store is one pod's, so that there is nothing to set. */
function replicas({ replayStore }: GatewaySpec, deployment: object): Setting[] {
  const path = ['spec', 'replicas'];
  if (replayStore._redis === undefined) return [];
  return [
    {
      name: ['replicas'],
      value: memberAt(deployment, path) as number,
      schema: { type: 'integer', minimum: 1, maximum: 1000 },
      // A scalar that begins with "{" is quoted, and then no number.
      places: [{ path, text: (action) => `+{{ int (${action}) }}` }],
    },
  ];
}

function containerSettings(spec: GatewaySpec, deployment: object, container: Path): Setting[] {
  const at = (...path: Path): Path => [...container, ...path];
  const print = (action: string) => `{{ ${action} }}`;
  const image = String(memberAt(deployment, at('image')));
  const resource = (list: string, name: string) => at('resources', list, name);
  return [
    {
      name: ['image'],
      value: image,
      schema: { type: 'string', pattern: new RegExp(PINNED).test(image) ? PINNED : TAGGED },
      places: [{ path: at('image'), text: print }],
    },
    {
      name: ['resources', 'cpu'],
      value: String(memberAt(deployment, resource('requests', 'cpu'))),
      schema: { type: ['string', 'number'], minimum: 0, pattern: '^[0-9]+(m|\\.[0-9]+)?$' },
      places: [{ path: resource('requests', 'cpu'), text: print }],
    },
    ...mebibytes(deployment, 'memoryMebibytes', [
      resource('requests', 'memory'),
      resource('limits', 'memory'),
    ]).map((setting) => ({
      ...setting,
      places: [...setting.places, ...heap(spec, deployment, at('command'))],
    })),
    ...mebibytes(deployment, 'ephemeralStorageMebibytes', [resource('limits', 'ephemeral-storage')]),
  ];
}

/** No less than what the app says: connections, claims and logs were reckoned by it. */
function mebibytes(deployment: object, name: string, paths: readonly Path[]): Setting[] {
  const [number, ...others] = new Set(paths.map((path) => mebibytesIn(String(memberAt(deployment, path)))));
  if (number === undefined || others.length > 0) return [];
  return [
    {
      name: ['resources', name],
      value: number,
      schema: { type: 'integer', minimum: number },
      places: paths.map((path) => ({ path, text: (action) => `{{ int (${action}) }}Mi` })),
    },
  ];
}

/** The heap of Node follows the memory. */
function heap({ workers = 1 }: GatewaySpec, deployment: object, command: Path): Setting['places'] {
  const flags = (memberAt(deployment, command) ?? []) as readonly string[];
  const at = flags.findIndex((flag) => flag.startsWith(HEAP));
  if (at < 0) return [];
  return [{ path: [...command, at], text: (action) => `${HEAP}{{ div (int (${action})) ${2 * workers} }}` }];
}
