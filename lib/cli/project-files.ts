/** The files of a new project. README shows `main.ts` as it stands here: test/docs keeps the two the same. */
import { join } from 'node:path';

/**
 * What the project is tested with. Ranges would be another project in a year: TypeScript 7 cannot be loaded by
 * ts-node.
 */
export const PINNED = {
  cdk8s: '2.70.0',
  'cdk8s-plus-28': '2.5.6',
  constructs: '10.3.0',
} as const;
export const PINNED_TOOLS = {
  '@types/node': '24.19.2',
  'cdk8s-cli': '2.207.60',
  'ts-node': '10.9.2',
  typescript: '6.0.3',
} as const;

export const MAIN_TS = `import { App, Chart } from 'cdk8s';
import { AgentGateway, HardenedNamespace, JwksSource, McpRoute, Peer } from 'cdk8s-agentgateway';

const app = new App();
const chart = new Chart(app, 'gateway', { namespace: 'aiops' });
new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });

const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://idp.example.com',                  // who signs the access tokens
  audience: 'https://gateway.example.com/mcp',        // whom they are for
  publicOrigins: ['https://gateway.example.com'],     // what clients put into htu
  jwks: JwksSource.fromFile('jwks.json'),             // public keys only, or synth refuses
});
gateway.allowFrom(Peer.pods({ app: 'ai-agent' }));

new McpRoute(chart, 'Mcp', {
  gateway,
  backend: 'my-mcp-server.default.svc.cluster.local:5000',
  backendPeer: Peer.pods({ app: 'my-mcp-server' }, { namespaceLabels: { 'kubernetes.io/metadata.name': 'default' } }),
});
app.synth();
`;

const json = (value: object) => `${JSON.stringify(value, null, 2)}\n`;

/** This package, as the new project depends on it. */
const version = () =>
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- CommonJS, a file outside of lib
  (require(join(__dirname, '..', '..', 'package.json')) as { version: string }).version;

export function projectFiles(): Record<string, string> {
  return {
    'main.ts': MAIN_TS,
    'package.json': json({
      name: 'gateway',
      private: true,
      scripts: { synth: 'cdk8s synth --check-upgrade=false' },
      dependencies: { 'cdk8s-agentgateway': version(), ...PINNED },
      devDependencies: PINNED_TOOLS,
    }),
    'tsconfig.json': json({
      compilerOptions: {
        target: 'es2022',
        module: 'node16',
        moduleResolution: 'node16',
        strict: true,
        skipLibCheck: true,
        noEmit: true,
        types: ['node'],
      },
      include: ['*.ts'],
    }),
    'cdk8s.yaml': 'language: typescript\napp: npx ts-node main.ts\noutput: dist\n',
    '.gitignore': 'node_modules/\ndist/\nprivate.pem\n',
  };
}
