/** The wheel in a fresh virtual environment: the quickstart, and values that it refuses. npm run test:languages */
import { copyFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { blocksOf, buildWheel, fetched, manifest, run } from './bindings';
import { dir, folder, GUIDE, quickstart, synthesized, withFetched } from './quickstart';

const REDIS = "replay_store=ReplayStore.redis(host='redis', peer=Peer.pods({'app': 'redis'}))";
const INGRESS =
  "chart, 'Ingress', gateway=gateway(), ingress_class_name='public', controller=IngressController.NGINX";

/** Code of Python, and what the library says of it. */
const RULES: [string, string][] = [
  [
    'gateway(replicas=0)',
    '[gateway/Gateway] replicas: must be a whole number of replicas from 1 to 1000, got 0',
  ],
  [
    'gateway(replicas=1.5)',
    '[gateway/Gateway] replicas: must be a whole number of replicas from 1 to 1000, got 1.5',
  ],
  [
    'gateway(replicas=2)',
    '[gateway/Gateway] replayStore: must be shared by all 2 replicas, or each of them accepts the same proof once, ' +
      'got "memory"; use ReplayStore.redis, or one replica',
  ],
  [
    `gateway(autoscaling=Autoscaling(max=2), replicas=4, ${REDIS})`,
    '[gateway/Gateway] autoscaling.max: must be at least replicas, 4, got 2; allow more, or begin with fewer',
  ],
  [
    "gateway(public_origins=['https://gateway.example.com/mcp'])",
    '[gateway/Gateway] publicOrigins[0]: must be an http(s) origin: scheme, host and port, nothing else, got ' +
      '"https://gateway.example.com/mcp"; did you mean "https://gateway.example.com"?',
  ],
  [
    "HardenedNamespace(chart, 'Namespace', name='AIOPS')",
    '[gateway/Namespace] name: must be a lower-case RFC 1123 label of at most 63 characters, got "AIOPS"; ' +
      'did you mean "aiops"?',
  ],
  [
    `GatewayIngress(${INGRESS}, peer=Peer.namespace('ingress'))`,
    '[gateway/Ingress] tlsSecretName: must be given: without TLS whoever is on the way reads the tokens',
  ],
  [
    `GatewayIngress(${INGRESS}, tls_secret_name='', peer=Peer.namespace('ingress'))`,
    '[gateway/Ingress] tlsSecretName: must be the name of a Kubernetes object (lower-case RFC 1123 subdomain), got ""',
  ],
  [
    "Peer.cidr('10.0.0.0')",
    'cidr: must be an IP address, "/" and a prefix length, got "10.0.0.0"; did you mean',
  ],
  [
    "JwksSource.from_file('missing.json')",
    'jwks: must be a readable file, got "missing.json"; it is not there',
  ],
  [
    'AuthProfile.dpop(proof_max_age=Duration.seconds(0))',
    'auth.proofMaxAge: must be a number of seconds from 1 to 3600, got 0',
  ],
];
/** Code of Python, and what jsii says of it before the library sees it. */
const KINDS: [string, string][] = [
  ['gateway(issuer=5)', 'type of argument issuer must be str; got int instead'],
  [
    "gateway(replicas='2')",
    'type of argument replicas must be one of (int, float, NoneType); got str instead',
  ],
  ['gateway(replica=2)', "AgentGateway.__init__() got an unexpected keyword argument 'replica'"],
  [
    "gateway(autoscaling={'maximum': 4})",
    "Autoscaling.__init__() got an unexpected keyword argument 'maximum'",
  ],
];

/** Code of Python, and the key and the value that jsii names. */
const INSIDE: [string, string, string][] = [
  ["gateway(public_origins='https://gateway.example.com')", 'publicOrigins', "'https://gateway.example.com'"],
  ["Peer.pods({'app': 5})", 'app', 'Value is not a string'],
];

/** A fresh virtual environment with the wheel, and what it stands on as it is tested with. */
function installWheel(): { python: string; wheel: string } {
  const wheel = buildWheel(join(dir, 'wheel'));
  const venv = join(dir, 'venv');
  run('python3', ['-m', 'venv', venv], dir);
  const { devDependencies } = manifest;
  const pinned = ['cdk8s', 'cdk8s-plus-28', 'constructs'].map((name) => `${name}==${devDependencies[name]}`);
  run(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', wheel, ...pinned], dir);
  return { python: join(venv, 'bin', 'python'), wheel };
}

withFetched('Python', fetched('python3', installWheel), ({ python, wheel }) => {
  it('installs a wheel of this version, which needs cdk8s as the package of npm does', () => {
    expect(basename(wheel)).toBe(`cdk8s_agentgateway-${manifest.version}-py3-none-any.whl`);
    const requires = run(
      python,
      ['-c', 'from importlib.metadata import requires; print("\\n".join(requires("cdk8s-agentgateway")))'],
      dir,
    );
    expect(requires.split('\n')).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^cdk8s <3\.0\.0,>=2\.70\.0/),
        expect.stringMatching(/^cdk8s-plus-28 <3\.0\.0,>=2\.5\.6/),
        expect.stringMatching(/^constructs <11\.0\.0,>=10\.3\.0/),
      ]),
    );
  });

  it('main.py of the README writes what main.ts writes', () => {
    const [main, ...others] = blocksOf('README.md', 'python');
    expect(others).toEqual([]);
    const where = folder('python');
    writeFileSync(join(where, 'main.py'), main);
    run(python, ['main.py'], where);
    expect(synthesized(where)).toEqual(quickstart());
  }, 120_000);

  describe('refuses', () => {
    let said: Record<string, string>;
    beforeAll(() => {
      const where = folder('refused');
      copyFileSync(join(__dirname, 'refused.py'), join(where, 'refused.py'));
      const cases = [...RULES, ...KINDS, ...INSIDE].map(([code]) => code);
      said = JSON.parse(run(python, ['refused.py', JSON.stringify(cases)], where)) as typeof said;
    }, 120_000);

    it.each(RULES)('%s, by a rule of the library', (code, message) => expect(said[code]).toContain(message));
    it.each(KINDS)('%s, by its kind', (code, message) => expect(said[code]).toBe(`TypeError: ${message}`));
    it.each(INSIDE)('%s, by what is inside', (code, key, value) => {
      expect(said[code]).toMatch(/^RuntimeError: /);
      expect(said[code]).toContain(`Key '${key}': `);
      expect(said[code]).toContain(value);
    });
    it('what the guide quotes, in these words', () => {
      const quoted = blocksOf(GUIDE, 'text').map((block) => block.trim());
      const words = Object.values(said).join('\n');
      expect(quoted).toHaveLength(2);
      expect(quoted.filter((line) => !words.includes(line))).toEqual([]);
    });
  });
});
