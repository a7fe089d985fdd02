/**
 * What README and SECURITY.md claim, the tests that show it, and what no test here can show. `claims` is the page's
 * own words: the first cell of a row, or a part of a sentence.
 */
export interface Claim {
  readonly claims: string;
  /** `FILE › TITLE`: a title, or the beginning of one, as it stands in the file. */
  readonly shownBy: readonly string[];
  /** What is left to a kubelet, a CNI, a cloud or somebody else's program. */
  readonly left?: string;
}

const KUBELET = 'that a kubelet mounts and runs it';
const CNI = 'that a CNI enforces the NetworkPolicies';

/** Of the table of what to write. */
export const PROPS: readonly Claim[] = [
  {
    claims: 'named Kubernetes Secrets, read through the gateway',
    shownBy: ['test/e2e/cluster/api-server.test.ts › is read by whoever holds the key'],
    left: CNI,
  },
  {
    claims: 'one key of a Secret, decoded, and nothing else of it',
    shownBy: [
      'proxy/test/hygiene.test.ts › goes the same for one key, of which the decoded value comes back and nothing else',
    ],
  },
  {
    claims: "the reference document's tokens, signed by the caller",
    shownBy: ['test/conformance/self-signed/profile.test.ts › takes a token once'],
  },
  {
    claims: 'more than one replica',
    shownBy: [
      'test/e2e/replicas.test.ts › the same proof 100 times at once, to both',
      'test/e2e/load/valkey.test.ts › is what both replicas remember proofs in',
      'test/e2e/cluster/scaling.test.ts › has its Valkey: one pod that the controller makes, under the rules',
    ],
    left: KUBELET,
  },
  {
    claims: 'as many replicas as there is to do for, by CPU and open streams',
    shownBy: [
      'test/lib/autoscaling.test.ts › sets the pods of the Deployment, which says no number itself',
      'test/e2e/cluster/scaling.test.ts › gets pods for CPU where nobody serves the streams',
      'test/e2e/cluster/scaling.test.ts › gets pods for streams, as many as it may, and none is taken away at once',
    ],
    left: 'the metrics that the autoscaler reads: metrics-server, and an adapter for open streams',
  },
  {
    claims: 'nonces, so that proofs made in advance are worthless',
    shownBy: ['proxy/test/profiles/nonce.test.ts › challenges a proof without one'],
  },
  {
    claims: 'scopes, and MCP tools only by list; `tools/list` shows each caller its own',
    shownBy: [
      'test/e2e/interop/inspector.test.ts › lists what the rules let it use, calls it, and is refused the rest',
    ],
  },
  {
    claims: 'tokens of Keycloak, Entra ID, Okta or Auth0',
    shownBy: [
      'test/e2e/providers/keycloak.test.ts › gives a client a bound token of typ JWT for itself, which passes',
      'proxy/test/profiles/presets.test.ts › an access token of a provider',
    ],
    left: 'Entra ID, Okta and Auth0 themselves: their tokens are made after their documentation',
  },
  {
    claims: 'opaque tokens',
    shownBy: ['test/e2e/peers/openid-client.test.ts › an opaque token, which the gateway introspects'],
  },
  {
    claims: 'an ingress in front that cuts `/ai` off',
    shownBy: [
      'test/e2e/fronts/fronts.test.ts › a proof for the URL that the client sees passes once',
      'test/e2e/fronts/fronts.test.ts › the audit names the client, not the front',
    ],
  },
  {
    claims: 'a limit that all replicas share',
    shownBy: ['proxy/test/limit/shared-buckets.test.ts › two replicas admit together what one bucket holds'],
  },
  {
    claims: 'several MCP servers with sessions in memory',
    shownBy: [
      'proxy/test/endpoints.test.ts › share new sessions',
      'test/e2e/agentgateway.test.ts › begins sessions at each of them, and a session stays where it began',
    ],
  },
  {
    claims: 'more than one core for a pod',
    shownBy: ['test/e2e/workers.test.ts › lets the same proof pass once of'],
  },
  {
    claims: 'no agentgateway',
    shownBy: ['test/lib/agent-gateway.test.ts › runs the proxy and agentgateway, the proxy alone'],
  },
  {
    claims: 'a backend credential from Vault, OpenBao, AWS, GCP or Azure, as a file',
    shownBy: [
      'test/e2e/cluster/external-secrets.test.ts › becomes the Secret whose value the gateway sends',
      'test/e2e/cluster/external-secrets.test.ts › is changed in the store: the new value is in the Secret, ' +
        'and in a request',
      'test/lib/external-secrets.test.ts › is written by an ExternalSecret to the Secret that is mounted',
      "test/lib/secret-stores.test.ts › logs in as the gateway's ServiceAccount, or as another, with no key",
    ],
    left:
      'operators after 0.16.2: the Go module proxy does not serve the provider modules of 1.3.2, so that of ' +
      'the newest ' +
      '(2.9) only the schemas of its CRDs judge the objects; backends other than OpenBao, here 2.4.0, likewise; ' +
      'that a kubelet mounts the Secret',
  },
  {
    claims: 'a header that the backend wants, as the name of a tenant',
    shownBy: ['test/lib/agentgateway-config.test.ts › as the route says, and none by itself'],
    left: 'agentgateway itself, where AGENTGATEWAY_BIN names no program: its schema takes the config',
  },
  {
    claims: "the backend's own token, for the caller's (RFC 8693)",
    shownBy: ['test/e2e/peers/token-exchange.test.ts › the backend gets an exchanged token'],
  },
  {
    claims: 'clients outside the cluster, by the Gateway API',
    shownBy: [
      'test/e2e/exposure.test.ts › is reached by the URL that clients sign, once',
      'test/lib/gateway-exposure.test.ts › take the HTTPRoute, and not a mutant of it',
    ],
    left: "a controller of the Gateway API: haproxy does what the HTTPRoute says, and the CRD's schema takes it",
  },
  {
    claims: 'clients outside the cluster, by an Ingress of nginx, Traefik or another',
    shownBy: [
      'test/lib/gateway-ingress.test.ts › brings clients over TLS to the MCP routes and their metadata, and ' +
        'to nothing else',
      'test/lib/gateway-ingress.test.ts › lets nginx wait for events, pass them on at once',
    ],
    left: 'an Ingress controller that reads the annotations',
  },
  {
    claims: 'TLS in the pod, by cert-manager',
    shownBy: [
      'test/e2e/cluster/cert-manager.test.ts › becomes the Secret that the gateway serves with',
      'test/e2e/cluster/cert-manager.test.ts › is renewed, with a new key, and a request meets the new one',
      'test/lib/gateway-certificate.test.ts › take the Certificate, and not a mutant of it',
      'proxy/test/rotations.test.ts › is the new one for every connection after the swap',
    ],
    left: "cert-manager's webhooks and its issuers other than a CA, ACME's too; that a kubelet mounts the Secret",
  },
  {
    claims: 'a PodMonitor, [alerts](docs/reference/alerts.md), a Grafana dashboard',
    shownBy: [
      'test/e2e/monitoring/alerts.test.ts › read what the gateway has, and fire when a proof is sent twice',
      'test/e2e/monitoring/dashboard.test.ts › has data for every query',
    ],
    left: 'the Prometheus Operator, and how Grafana draws it',
  },
  {
    claims: 'OpenTelemetry traces',
    shownBy: ['test/e2e/tracing.test.ts › sends at SIGTERM what has not been sent'],
  },
  {
    claims: 'rules for pods that only warn, or without one of them',
    shownBy: ['test/e2e/cluster/admission.test.ts › warns where it only warns, passes what is excepted'],
  },
  {
    claims: 'a backend outside the cluster, by name, on Cilium',
    shownBy: ['test/lib/network-policy.test.ts › names hosts, lets Cilium see the answers of DNS'],
    left: 'Cilium',
  },
  {
    claims: 'several clients, DNS servers or backends, in both address families',
    shownBy: ['test/lib/network-policy.test.ts › takes several peers for every flow'],
    left: CNI,
  },
  {
    claims: 'issuers and a collector outside, behind an HTTP proxy',
    shownBy: ['test/e2e/egress.test.ts › says that the proxy wants other credentials'],
  },
  {
    claims: 'tainted nodes, an architecture, a priority, a private registry, pods spread strictly',
    shownBy: ['test/lib/workload.test.ts › spreads pods where there is room, or waits for room'],
    left: 'a scheduler with such nodes',
  },
  {
    claims:
      'labels and annotations for a mesh, or the identity of a cloud ([EKS, GKE, AKS](docs/guides/platforms.md))',
    shownBy: ['test/lib/workload.test.ts › give the ServiceAccount the identity of a cloud'],
    left: 'the clouds',
  },
  {
    claims: 'a variable or files for the proxy, as an agent of yours wants them',
    shownBy: ['test/lib/workload.test.ts › are files under /mnt, read-only, and variables'],
    left: KUBELET,
  },
  {
    claims: 'AppArmor, a user namespace, strict groups, where every node has them',
    shownBy: ['test/lib/agent-gateway.test.ts › asks of its nodes only what it is told to'],
    left: 'nodes that have them',
  },
  {
    claims:
      'the restricted profile, digests, no secrets in variables, no wildcards in roles, default deny, in ' +
      'charts of any library',
    shownBy: [
      'test/e2e/cluster/hardening.test.ts › refuses what the plugin finds, for the same checks, and takes the rest',
      'test/languages/validation.test.ts › finds nothing in the apps of this library',
      'test/languages/validation.test.ts › fails the synth of a chart that breaks a rule',
    ],
  },
  {
    claims: 'an audit policy for the API server',
    shownBy: ['test/e2e/cluster/api-server.test.ts › both audit logs have one id'],
  },
];

/** Of the table of profiles. */
export const PROFILES: readonly Claim[] = [
  {
    claims: '`dpop` (default)',
    shownBy: [
      'test/conformance/rfc9449/vectors.test.ts › takes the proof of the example at its time',
      'test/conformance/rfc9449/vectors.test.ts › refuses it at another time, for another method, URI or token',
    ],
  },
  {
    claims: '`dpop` with `nonce`',
    shownBy: [
      'test/conformance/rfc9449/4.3-10-nonce.test.ts › refuses a proof without the nonce that was given',
      'test/conformance/rfc9449/8-nonce-rotation.test.ts › refuses one that is too old, and one from the future',
    ],
  },
  {
    claims: '`mixed`',
    shownBy: ['proxy/test/profiles/profiles.test.ts › takes an unbound token as Bearer'],
  },
  {
    claims: '`mtls`',
    shownBy: ['test/conformance/rfc8705/3-certificate.test.ts › takes the token with its certificate'],
  },
  {
    claims: '`selfSigned`',
    shownBy: ['test/conformance/self-signed/profile.test.ts › takes an RS256 token of a listed key'],
  },
];

/** Of the table of running it. */
export const OPERATION: readonly Claim[] = [
  {
    claims: 'change something',
    shownBy: [
      'proxy/test/recovered.test.ts › what was replaced is told with what is live now',
      'test/e2e/reload.test.ts › keeps the one before where the new one is no good',
    ],
    left: 'how long a kubelet takes to bring a file: up to two minutes',
  },
  {
    claims: 'write it in another language',
    shownBy: [
      'test/languages/python.test.ts › main.py of the README writes what main.ts writes',
      'test/languages/python.test.ts › %s, by a rule of the library',
      'test/languages/java.test.ts › compiles, and Main.java of the guide writes what main.ts of the README writes',
      'test/languages/go.test.ts › compiles and is vetted, and main.go of the guide writes what main.ts of the README',
    ],
    left: 'that the sources for .NET compile',
  },
  {
    claims: 'deploy it',
    shownBy: [
      'test/e2e/cluster/guides.test.ts › run as they stand',
      'test/e2e/cluster/helm.test.ts › installs, upgrades, takes back and uninstalls every app',
    ],
    left: 'Argo CD, Flux, EKS, GKE, AKS and OpenShift themselves',
  },
  {
    claims: 'roll it out',
    shownBy: [
      'test/e2e/load/rolling-restarts.test.ts › none fails, and each ends in time with 0',
      'test/e2e/load/rolling-restarts.test.ts › a second signal ends it at once',
    ],
    left: 'kube-proxy, which must follow the endpoints',
  },
  {
    claims: 'watch it',
    shownBy: [
      'proxy/test/status.test.ts › says why it is not ready',
      'test/docs/runbook.test.ts › has a section for each alert, and none for another',
    ],
  },
  {
    claims: 'configure it by hand',
    shownBy: ['proxy/test/docs/config.test.ts › docs/reference/config.md is the schema'],
  },
  {
    claims: 'build an image of it',
    shownBy: ['test/package/image.test.ts › starts what the constructs start, with the same flags and paths'],
    left: 'a builder: the stages of the Dockerfile are read and their commands run, no image is built',
  },
  {
    claims: 'upgrade it',
    shownBy: [
      'test/languages/version.test.ts › is the next minor after what breaks',
      'test/package/release.test.ts › publishes to npm with provenance, and to PyPI with attestations',
      'test/package/release.test.ts › attaches the SBOM of what it built',
    ],
    left: 'the registries and GitHub themselves',
  },
  {
    claims: 'know its cost',
    shownBy: ['proxy/bench/benchmarks-page.mjs › npm run bench -- docs'],
  },
];

/** Of what SECURITY.md promises. */
export const PROMISES: readonly Claim[] = [
  {
    claims: "its access token verifies under a configured issuer's keys",
    shownBy: [
      'test/conformance/rfc9068/4-access-token.test.ts › verifies under the keys of the issuer, by kid',
    ],
  },
  {
    claims: 'is for this resource',
    shownBy: ['test/conformance/rfc9068/4-access-token.test.ts › takes aud %j'],
  },
  {
    claims: 'its proof verifies, is for this method and URI, is recent, names this token',
    shownBy: [
      'test/conformance/rfc9449/4.3-06-signature.test.ts › refuses a signature of another key',
      'test/conformance/rfc9449/4.3-08-htm.test.ts › refuses htm %j for POST',
      'test/conformance/rfc9449/4.3-09-htu.test.ts › is compared with the configured origin',
      'test/conformance/rfc9449/4.3-11-iat.test.ts › takes what is inside the window',
      'test/conformance/rfc9449/4.3-12-binding.test.ts › 12a: refuses the ath of another token',
    ],
  },
  {
    claims: 'signed by the key the token is bound to',
    shownBy: [
      'test/conformance/rfc9449/4.3-12-binding.test.ts › 12b: refuses a proof of a key that the token is not bound to',
    ],
  },
  {
    claims: 'over all threads, and over all replicas that share a Redis',
    shownBy: [
      'test/e2e/workers.test.ts › lets the same proof pass once of',
      'test/e2e/replicas.test.ts › the same proof 100 times at once, to both',
    ],
  },
  {
    claims: 'A store that may have forgotten',
    shownBy: [
      'proxy/test/attacks/restart.test.ts › costs an honest client one more request',
      'proxy/test/replay/redis-epoch.test.ts › refuses what is from before a FLUSHALL',
      'proxy/test/replay/redis-epoch.test.ts › follows a sentinel to the promoted replica',
      'proxy/test/attacks/clock-set-back.test.ts › an honest client passes at once after the step',
    ],
  },
  {
    claims: 'noticed within a second',
    shownBy: ['proxy/test/attacks/partial-memory.test.ts › whose clock is set back has a new epoch'],
  },
  {
    claims: 'Secrets routes read listed names only and are always strict',
    shownBy: [
      'test/e2e/cluster/api-server.test.ts › and only that one',
      'test/lib/agent-gateway.test.ts › a permissive secrets route',
    ],
  },
  {
    claims: 'When the gateway cannot tell, it refuses',
    shownBy: ['proxy/test/replay/redis-store.test.ts › says down while Redis is dead'],
  },
];
