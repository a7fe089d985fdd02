import { capacityOf, fit, type Machine } from '../src/capacity.js';
import { parseConfig, type ConfigInput } from '../src/config/index.js';

const MIB = 2 ** 20;
const ROOMY: Machine = { descriptors: undefined, memoryBytes: undefined, heapBytes: 4096 * MIB };

function configOf(change: Partial<ConfigInput> = {}, routes = 1) {
  const parsed = parseConfig({
    version: 1,
    publicOrigins: ['https://gw.example'],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: '/jwks.json' } }],
    replay: { store: 'memory' },
    routes: Array.from({ length: routes }, (_, i) => ({
      kind: 'mcp',
      name: `mcp${i}`,
      pathPrefix: `/mcp${i}`,
      auth: { profile: 'dpop', issuers: ['as'] },
      backend: { url: `http://127.0.0.1:${9000 + i}` },
    })),
    ...change,
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.config;
}

it('leaves a config alone that the process can hold', () => {
  const capacity = capacityOf(configOf(), ROOMY);
  expect(capacity.problems).toEqual([]);
  expect(fit(configOf(), capacity)).toEqual(configOf());
});

it.each([
  [
    { descriptors: 256 },
    52,
    /limits\.maxConnections: .* 52 of 256 descriptors \(ulimit -n\), got 10000; more/,
  ],
  [{ memoryBytes: 256 * MIB }, 2925, /limits\.maxConnections: .* 2925 in 256 MiB of memory, got 10000/],
  [{ heapBytes: 152 * MIB }, 5734, /limits\.maxConnections: .* 5734 in a heap of 152 MiB/],
])('takes no more connections than fit in %j, and says so', (given, connections, problem) => {
  const capacity = capacityOf(configOf(), { ...ROOMY, ...given });
  expect(capacity.problems[0]).toMatch(problem);
  expect(fit(configOf(), capacity).limits.maxConnections).toBe(connections);
});

it('shares descriptors between clients and backends, and keeps some back', () => {
  const shares = (descriptors: number, change: Partial<ConfigInput>) => {
    const config = configOf(change);
    const { limits, upstream } = fit(config, capacityOf(config, { ...ROOMY, descriptors }));
    return [limits.maxConnections, upstream.maxSockets, upstream.maxStreams];
  };
  expect(shares(1152, {})).toEqual([500, 250, 250]);
  expect(shares(1152, { limits: { maxConnections: 100 } })).toEqual([100, 450, 450]);
  expect(shares(1152, { upstream: { maxSockets: 60, maxStreams: 40 } })).toEqual([900, 60, 40]);
  expect(shares(20_000, {})).toEqual([10_000, 1024, 1024]);
  expect(shares(1, {})).toEqual([1, 1, 1]);
});

it('gives each backend less where a reload brings more of them, and connections as before', () => {
  const capacity = capacityOf(configOf(), { ...ROOMY, descriptors: 1152 });
  const next = fit(configOf({}, 5), capacity);
  expect([next.limits.maxConnections, next.upstream.maxSockets, next.upstream.maxStreams]).toEqual([
    500, 50, 50,
  ]);
});

it('counts TLS, workers, remembered proofs and longer header blocks', () => {
  const most = (change: Partial<ConfigInput>) =>
    capacityOf(configOf(change), { ...ROOMY, memoryBytes: 256 * MIB }).connections;
  const tls = { listen: { tls: { certFile: '/a', keyFile: '/b' } }, publicOrigins: ['https://gw.example'] };
  const fewer = [
    tls,
    { workers: 2 },
    { replay: { store: 'memory', maxEntries: 2_000_000 } },
    { limits: { maxHeaderBytes: 32_768 } },
  ] as Partial<ConfigInput>[];
  for (const change of fewer) expect(most(change)).toBeLessThan(most({}) * 0.9);
});
