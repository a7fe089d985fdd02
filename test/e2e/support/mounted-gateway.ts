/** The shipped gateway with the files that its pod would have, projected from the objects of a real API server. */
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import type { ApiServer, Json } from './api-server.js';
import { startGatewayProcess, type GatewayProcess } from './gateway-process.js';
import { Volume } from './volume.js';

/** Where the pod has them. */
const MOUNTED = '/etc/gateway/';

interface Source {
  readonly configMap?: { readonly name: string };
  readonly secret?: {
    readonly name: string;
    readonly items: readonly { readonly key: string; readonly path: string }[];
  };
}
/** As far as it is read here. */
export interface Deployment {
  readonly metadata: { readonly namespace: string };
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly volumes: readonly {
          readonly name: string;
          readonly projected?: { readonly sources: readonly Source[] };
        }[];
      };
    };
  };
}
type Files = Readonly<Record<string, string>>;

/** What a kubelet writes to the pod's `config` volume now, by path; an object that is missing is an error. */
async function projectedFiles(api: ApiServer, { metadata, spec }: Deployment): Promise<Files> {
  const { sources } = spec.template.spec.volumes.find(({ name }) => name === 'config')!.projected!;
  const dataOf = async (resource: string, name: string) => {
    const { text } = await api.call({ path: `/api/v1/namespaces/${metadata.namespace}/${resource}/${name}` });
    return (JSON.parse(text) as { readonly data: Files }).data;
  };
  const files: Record<string, string> = {};
  for (const { configMap, secret } of sources) {
    if (configMap !== undefined) Object.assign(files, await dataOf('configmaps', configMap.name));
    if (secret === undefined) continue;
    const data = await dataOf('secrets', secret.name);
    for (const { key, path } of secret.items) files[path] = Buffer.from(data[key]!, 'base64').toString();
  }
  return files;
}

export interface MountedGateway {
  readonly process: GatewayProcess;
  /** The first of its config, which clients sign. */
  readonly origin: string;
  /** Writes the files again, of the objects as they are now, as a kubelet does in a minute or so. */
  sync(): Promise<void>;
}

export interface MountedGatewayOptions {
  readonly api: ApiServer;
  /** One Deployment is among them. */
  readonly manifests: readonly Json[];
  /** For its files. */
  readonly dir: string;
  /** Stands for the Service that the route names. */
  readonly backendPort: number;
}

export async function startMountedGateway(options: MountedGatewayOptions): Promise<MountedGateway> {
  const { api, manifests, dir, backendPort } = options;
  const deployment = manifests.find(({ kind }) => kind === 'Deployment') as unknown as Deployment;
  const files = await projectedFiles(api, deployment);
  const volume = new Volume(`${dir}/mounted`, files);
  // Only where files and the backend are is changed; what is enforced is what was synthesized.
  const config = JSON.parse(
    files['config.json']!.replaceAll(`"${MOUNTED}`, `"${dir}/mounted/`),
  ) as ConfigInput;
  for (const route of config.routes) Object.assign(route.backend, { url: `http://127.0.0.1:${backendPort}` });
  return {
    process: await startGatewayProcess({ ...config, drainSeconds: 1 }, { dir, name: 'gateway' }),
    origin: config.publicOrigins[0]!,
    sync: async () => volume.swap(await projectedFiles(api, deployment)),
  };
}
