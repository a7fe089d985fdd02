import { isIP } from 'node:net';
import { listOf, NUMBER, optional, Shape, struct, TEXT } from '../support/kinds';
import { checkPort, refuse } from '../support/text';
import { Peer } from './peer';

/** Where the API server is. */
export interface ApiServerAccessOptions {
  /** ClusterIP of the Service `kubernetes`: `kubectl get service kubernetes -o jsonpath={.spec.clusterIP}`. */
  readonly serviceIp: string;

  /**
   * What is behind it: addresses, `kubectl get endpointslices -l kubernetes.io/service-name=kubernetes`; or,
   * where those change, as on EKS, the ranges of the subnets that they are in, as `address/bits`, at least /16
   * or /48. At least one.
   */
  readonly endpoints: string[];

  /**
   * Port of the Service.
   *
   * @default 443
   */
  readonly servicePort?: number;

  /**
   * Port of the endpoints; 443 on most managed clusters.
   *
   * @default 6443
   */
  readonly endpointPort?: number;
}

const SHAPE: Shape<ApiServerAccessOptions> = {
  serviceIp: TEXT,
  endpoints: listOf(TEXT),
  servicePort: optional(NUMBER),
  endpointPort: optional(NUMBER),
};
const OPTIONS = struct('ApiServerAccessOptions', SHAPE);

/**
 * How the gateway's pods reach the Kubernetes API. Some CNIs evaluate a policy before the Service address is
 * translated and some after it, so both the Service and its endpoints are admitted. With
 * `NetworkPolicyFlavor.CILIUM`, where a CIDR does not select an API server on a node, the entity
 * `kube-apiserver` is admitted instead.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export class ApiServerAccess {
  /** Names the Service and its endpoints; refuses ranges wider than /16 or /48. */
  public static of(options: ApiServerAccessOptions): ApiServerAccess {
    OPTIONS.check('apiServer', options);
    if (options.endpoints.length === 0) {
      refuse({
        where: 'apiServer.endpoints',
        want: 'must list at least one address',
        got: options.endpoints,
      });
    }
    const servicePort = checkPort('apiServer.servicePort', options.servicePort ?? 443);
    const endpointPort = checkPort('apiServer.endpointPort', options.endpointPort ?? 6443);
    return new ApiServerAccess([
      single('apiServer.serviceIp', options.serviceIp, servicePort),
      ...options.endpoints.map((address, at) => narrow(`apiServer.endpoints[${at}]`, address, endpointPort)),
    ]);
  }

  /** @internal each with its port */
  public readonly _peers: Peer[];

  private constructor(peers: Peer[]) {
    this._peers = peers;
  }
}

function single(where: string, address: string, port: number): Peer {
  const family = isIP(address);
  if (family === 0 || /^0\.0\.0\.0$|^::$/.test(address)) {
    refuse({ where, want: 'must be one IP address', got: address });
  }
  return Peer.cidr(`${address}/${family === 4 ? 32 : 128}`, { port });
}

/** The widest that the subnets of one cluster are. */
const WIDEST = { ipv4: 16, ipv6: 48 };

function narrow(where: string, range: string, port: number): Peer {
  if (!range.includes('/')) return single(where, range, port);
  const least = range.includes(':') ? WIDEST.ipv6 : WIDEST.ipv4;
  if (Number(range.split('/')[1]) < least) {
    refuse({
      where,
      want: `must be a range of /${least} or narrower: whoever is in it is reached with the pod's token`,
      got: range,
      next: 'name the subnets of the API server',
    });
  }
  return Peer.cidr(range, { port });
}
