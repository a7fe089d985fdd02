/** What several threads know is told as one gateway's: the worst of what they have, the sum of what they count. */
import type { RouteCounts } from '../../src/observe/request-counts.js';
import { gatewayStatus, type EdgeStatus } from '../../src/observe/status.js';

const NONE: RouteCounts = { answered: 0, refused: 0, refusals: [], wouldRefuse: [] };
const early = '2026-01-01T00:00:00.000Z';
const late = '2026-01-01T00:00:09.000Z';
const ROUTE = { name: 'mcp', kind: 'mcp', pathPrefix: '/mcp', profile: 'dpop', mode: 'strict' };
const thread = (change: Partial<EdgeStatus> = {}): EdgeStatus => ({
  waitingFor: [],
  config: { hash: 'h', loadedAt: early },
  notTaken: [],
  weakenings: [],
  issuers: [],
  certificates: [],
  replay: { store: 'redis', reachable: true, remembersSince: early },
  routes: [{ ...ROUTE, ...NONE }],
  noRoute: NONE,
  openStreams: 1,
  heapUsedBytes: 10,
  ...change,
});
const merged = (...changes: readonly Partial<EdgeStatus>[]) =>
  gatewayStatus(changes.map(thread), { now: Date.parse(late) / 1000, waitingFor: [] });

it('is ready when every thread is, and the main one', () => {
  expect(merged({}, {})).toMatchObject({ ready: true, waitingFor: [], time: late, workers: 2 });
  const waits = { waitingFor: ['replay store'] };
  expect(merged(waits, {}, waits)).toMatchObject({ ready: false, waitingFor: ['replay store'] });
  expect(gatewayStatus([thread()], { now: 0, waitingFor: ['audit log'] }).waitingFor).toEqual(['audit log']);
});

it('adds up what threads count, and knows the last of each reason', () => {
  const counted = (count: number, lastAt: string) => ({
    routes: [
      { ...ROUTE, ...NONE, answered: 2, refusals: [{ reason: 'dpop_expired' as const, count, lastAt }] },
    ],
    noRoute: { ...NONE, refused: 1 },
  });
  const { routes, noRoute, openStreams, memory } = merged(counted(3, late), counted(4, early));
  expect(routes).toMatchObject([
    { name: 'mcp', answered: 4, refusals: [{ reason: 'dpop_expired', count: 7, lastAt: late }] },
  ]);
  expect([noRoute.refused, openStreams, memory.heapUsedBytes]).toEqual([2, 2, 20]);
});

it('takes the key set that is furthest behind, and the certificate that ends first', () => {
  const has = (ageSeconds: number | undefined, expiresAt: string): Partial<EdgeStatus> => ({
    issuers: [
      { name: 'as', issuer: 'i', keys: 1, kids: [], ...(ageSeconds === undefined ? {} : { ageSeconds }) },
    ],
    certificates: [{ file: 'tls.crt', expiresAt }],
  });
  expect(merged(has(1, late), has(5, early))).toMatchObject({
    issuers: [{ ageSeconds: 5 }],
    certificates: [{ expiresAt: early }],
  });
  expect(merged(has(5, late), has(undefined, late)).issuers[0]).not.toHaveProperty('ageSeconds');
});

it('says that Redis cannot be reached where one thread cannot, and the latest epoch', () => {
  const replay = { store: 'redis' as const, server: 'r:6379' };
  expect(
    merged(
      { replay: { ...replay, reachable: true, remembersSince: early } },
      { replay: { ...replay, reachable: true, remembersSince: late } },
      { replay: { ...replay, reachable: false } },
    ).replay,
  ).toEqual({ ...replay, reachable: false, remembersSince: late });
});
