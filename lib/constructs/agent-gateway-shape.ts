/** The props of an `AgentGateway`, and the kind of each. */
import {
  DURATION,
  FLAG,
  instanceOf,
  listOf,
  NUMBER,
  oneOf,
  optional,
  recordOf,
  Shape,
  SIZE,
  struct,
  TEXT,
} from '../support/kinds';
import { ApiServerAccess } from '../values/api-server-access';
import { AuthProfile } from '../values/auth-profile';
import { SigningAlgorithm } from '../values/auth-profile-options';
import { DataPlane } from '../values/data-plane';
import { ExtraVolume } from '../values/extra-volume';
import { ForwardedHeader } from '../values/forwarded-header';
import { Image } from '../values/image';
import { JwksSource } from '../values/jwks-source';
import { IpFamily, NetworkPolicyFlavor } from '../values/network';
import { OriginSource } from '../values/origin-source';
import { Peer } from '../values/peer';
import { RateLimit } from '../values/rate-limit';
import { ReplayStore } from '../values/replay-store';
import { ADDED_METADATA, AUTOSCALING, EGRESS, LIMITS, SCHEDULING, TRACING, UPSTREAM } from '../values/shapes';
import { AgentGatewayProps } from './agent-gateway-props';

const SHAPE: Shape<AgentGatewayProps> = {
  issuer: TEXT,
  audience: TEXT,
  jwks: instanceOf(JwksSource),
  name: optional(TEXT),
  namespace: optional(TEXT),
  replicas: optional(NUMBER),
  autoscaling: optional(AUTOSCALING),
  workers: optional(NUMBER),
  publicOrigins: optional(listOf(TEXT)),
  publicPathPrefix: optional(TEXT),
  trustedPeers: optional(listOf(TEXT)),
  originFrom: optional(oneOf(OriginSource)),
  forwardedHeader: optional(oneOf(ForwardedHeader)),
  tlsSecretName: optional(TEXT),
  algorithms: optional(listOf(oneOf(SigningAlgorithm))),
  auth: optional(instanceOf(AuthProfile)),
  rateLimit: optional(instanceOf(RateLimit)),
  dataPlane: optional(instanceOf(DataPlane)),
  replayStore: optional(instanceOf(ReplayStore)),
  image: optional(instanceOf(Image)),
  memory: optional(SIZE),
  cpuMillicores: optional(NUMBER),
  ephemeralStorage: optional(SIZE),
  limits: optional(LIMITS),
  upstream: optional(UPSTREAM),
  podDisruptionBudget: optional(FLAG),
  scheduling: optional(SCHEDULING),
  podMetadata: optional(ADDED_METADATA),
  serviceMetadata: optional(ADDED_METADATA),
  serviceAccountMetadata: optional(ADDED_METADATA),
  environment: optional(recordOf(TEXT)),
  extraVolumes: optional(recordOf(instanceOf(ExtraVolume))),
  metricsPeer: optional(instanceOf(Peer)),
  tracing: optional(TRACING),
  egressProxy: optional(EGRESS),
  dnsPeer: optional(instanceOf(Peer)),
  networkPolicyFlavor: optional(oneOf(NetworkPolicyFlavor)),
  ipFamilies: optional(listOf(oneOf(IpFamily))),
  apiServer: optional(instanceOf(ApiServerAccess)),
  preStop: optional(DURATION),
  drain: optional(DURATION),
  minKubernetesVersion: optional(TEXT),
  appArmor: optional(FLAG),
  userNamespace: optional(FLAG),
  strictSupplementalGroups: optional(FLAG),
};
export const AGENT_GATEWAY_PROPS = struct('AgentGatewayProps', SHAPE);
