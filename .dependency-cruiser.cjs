// Who may import whom: ARCHITECTURE.md has the table, this is the same table as rules; test/architecture runs it.
const room = (name) => `^proxy/src/${name}/`;
const only = (from, allowed, comment) => ({
  name: `${from}-imports`,
  comment,
  severity: 'error',
  from: { path: room(from) },
  to: { path: '^proxy/src/', pathNot: [room(from), ...allowed] },
});
/** A room of the library, and the rooms below it. */
const libRoom = (from, below) => ({
  name: `lib-${from}-imports`,
  severity: 'error',
  from: { path: `^lib/${from}/` },
  to: { path: '^lib/', pathNot: [from, ...below].map((name) => `^lib/${name}/`) },
});
const CONFIG = '^proxy/src/config/index\\.ts$';
const CLOCK = '^proxy/src/clock\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: ['\\.d\\.ts$'] }, to: {} },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^\\.\\./\\.\\./assets/' },
    },
    {
      name: 'proxy-is-alone',
      severity: 'error',
      from: { path: '^proxy/src/' },
      to: { path: ['^lib/', '^apps/', 'node_modules/(cdk8s|constructs)'] },
    },
    { name: 'lib-has-no-proxy-source', severity: 'error', from: { path: '^lib/' }, to: { path: '^proxy/' } },
    {
      name: 'kplus-behind-one-file',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/manifests/k8s\\.ts$' },
      to: { path: 'node_modules/cdk8s-plus-28' },
    },
    libRoom('support', []),
    libRoom('hardening', ['support']),
    libRoom('values', ['support']),
    libRoom('spec', ['support', 'values']),
    libRoom('config', ['support', 'values', 'spec']),
    libRoom('validation', ['support', 'values', 'spec', 'config']),
    libRoom('manifests', ['support', 'values', 'spec', 'config']),
    libRoom('constructs', ['support', 'values', 'spec', 'config', 'validation', 'manifests']),
    {
      name: 'app-is-composed-by-main',
      severity: 'error',
      from: { path: '^proxy/src/', pathNot: '^proxy/src/(main|workers/[^/]+)\\.ts$' },
      to: { path: '^proxy/src/app\\.ts$' },
    },
    only('config', [], 'the schema knows nobody'),
    only('kubernetes', [], 'facts: what manifests ask of a cluster'),
    only('pipeline', [CONFIG], 'types of the way'),
    only('checks', [CONFIG], 'pure functions of their arguments'),
    only('http', [CONFIG, room('pipeline'), room('checks')], 'reading and writing HTTP'),
    only(
      'profiles',
      [CONFIG, CLOCK, room('pipeline'), room('checks'), room('http'), '^proxy/src/keys/key-source\\.ts$'],
      'order of the checks of one profile',
    ),
    only('memory', [], 'what threads share'),
    only('replay', [CONFIG, CLOCK, room('redis'), room('memory')], 'a store and its driver'),
    only('limit', [CONFIG, CLOCK, room('memory')], 'buckets'),
    only('redis', [CONFIG], 'a connection'),
    only('keys', [CONFIG, CLOCK, room('checks')], 'where keys and credentials come from'),
    only(
      'upstream',
      [
        CONFIG,
        CLOCK,
        room('pipeline'),
        '^proxy/src/http/(answer-filter|body-pace|challenge|exchange|gather-pieces|header-fields|refusal-body)\\.ts$',
        '^proxy/src/checks/location\\.ts$',
      ],
      'towards backends',
    ),
    only('observe', [CONFIG, room('pipeline')], 'what operators see'),
    only('admin', [room('observe')], 'probes and metrics'),
    {
      name: 'stages-imports',
      comment: 'a stage knows what carries it and the interfaces of the rooms that act, never another stage',
      severity: 'error',
      from: { path: '^proxy/src/stages/([^/]+)\\.ts$' },
      to: {
        path: '^proxy/src/',
        pathNot: [
          CONFIG,
          CLOCK,
          room('pipeline'),
          room('checks'),
          room('http'),
          room('observe'),
          '^proxy/src/replay/(replay-store|replay-key)\\.ts$',
          '^proxy/src/limit/rate-limiter\\.ts$',
          '^proxy/src/upstream/upstream\\.ts$',
          '^proxy/src/keys/key-source\\.ts$',
        ],
      },
    },
    {
      name: 'checks-touch-nothing',
      severity: 'error',
      from: { path: [room('checks'), room('pipeline'), room('profiles')] },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(assets|build)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'proxy/tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.d.ts'],
    },
  },
};
