/** What of a status people read, and in which order: the page and `agw top` show the same. */
import type { GatewayStatus, IssuerStatus } from '../observe/status.js';
import type { RouteCounts } from '../observe/request-counts.js';

export interface StatusSection {
  readonly title: string;
  /** Empty: rows of a name and what it is. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface StatusView {
  /** `ready`, or what it waits for. */
  readonly headline: string;
  readonly isReady: boolean;
  /** Those that have something to say. */
  readonly sections: readonly StatusSection[];
}

/** So many reasons are shown, the latest first; `/status` has all of them. */
const MOST_REASONS = 30;
const NO_ROUTE = '(no route)';

export function viewOf(status: GatewayStatus): StatusView {
  const now = Date.parse(status.time) / 1000;
  const sections = [
    overview(status, now),
    { title: 'Weakened', head: [], rows: status.weakenings.map((text) => [text]) },
    {
      title: 'Not taken: what was read before is in use',
      head: [],
      rows: status.notTaken.map((name) => [name]),
    },
    routes(status),
    reasons('Refusals', status, now, ({ refusals }) => refusals),
    reasons('A strict route would have refused', status, now, ({ wouldRefuse }) => wouldRefuse),
    issuers(status),
    certificates(status, now),
  ];
  return {
    headline: status.ready ? 'ready' : `not ready: waits for ${status.waitingFor.join(', ')}`,
    isReady: status.ready,
    sections: sections.filter(({ rows }) => rows.length > 0),
  };
}

function overview(status: GatewayStatus, now: number): StatusSection {
  const { build, config, memory, replay } = status;
  const limit = memory.limitBytes === undefined ? '' : ` of ${mebibytes(memory.limitBytes)}`;
  return {
    title: 'Gateway',
    head: [],
    rows: [
      ['build', `${build.version}, code ${build.code}, Node ${build.node}`],
      ['started', ago(status.startedAt, now)],
      ['config', `${config.hash}, loaded ${ago(config.loadedAt, now)}`],
      ['replay store', replayText(replay, now)],
      ['open streams', String(status.openStreams)],
      [
        'memory',
        `${mebibytes(memory.rssBytes)}${limit}, JavaScript's objects ${mebibytes(memory.heapUsedBytes)}`,
      ],
      ['workers', String(status.workers)],
    ],
  };
}

function replayText(replay: GatewayStatus['replay'], now: number): string {
  const { store, server, reachable, remembersSince, entries } = replay;
  return [
    server === undefined ? store : `${store} ${server}`,
    ...(reachable ? [] : ['cannot be reached']),
    ...(remembersSince === undefined
      ? []
      : [`remembers since ${remembersSince}, ${ago(remembersSince, now)}`]),
    ...(entries === undefined ? [] : [`${entries} proofs`]),
  ].join(', ');
}

const routes = ({ routes: all, noRoute }: GatewayStatus): StatusSection => ({
  title: 'Routes',
  head: ['route', 'path', 'profile', 'mode', 'answered', 'refused'],
  rows: [
    ...all.map(({ name, kind, pathPrefix, profile, mode, answered, refused }) => [
      kind === 'mcp' ? name : `${name} (${kind})`,
      pathPrefix,
      profile,
      mode,
      String(answered),
      String(refused),
    ]),
    [NO_ROUTE, '', '', '', String(noRoute.answered), String(noRoute.refused)],
  ],
});

function reasons(
  title: string,
  { routes: all, noRoute }: GatewayStatus,
  now: number,
  read: (counts: RouteCounts) => RouteCounts['refusals'],
): StatusSection {
  const found = [...all, { ...noRoute, name: NO_ROUTE }]
    .flatMap((route) => read(route).map((counted) => ({ route: route.name, ...counted })))
    .sort((a, b) => b.lastAt.localeCompare(a.lastAt));
  return {
    title,
    head: ['route', 'reason', 'requests', 'last'],
    rows: found
      .slice(0, MOST_REASONS)
      .map(({ route, reason, count, lastAt }) => [route, reason, String(count), ago(lastAt, now)]),
  };
}

const issuers = ({ issuers: all }: GatewayStatus): StatusSection => ({
  title: 'Issuers',
  head: ['issuer', 'iss', 'keys', 'loaded', 'kids'],
  rows: all.map(({ name, issuer, keys, kids, ageSeconds }) => [
    name,
    issuer,
    String(keys),
    loadedText(ageSeconds),
    kids.join(', '),
  ]),
});

const loadedText = (ageSeconds: IssuerStatus['ageSeconds']): string =>
  ageSeconds === undefined ? 'never, or too long ago' : `${duration(ageSeconds)} ago`;

const certificates = ({ certificates: all }: GatewayStatus, now: number): StatusSection => ({
  title: 'Certificates',
  head: ['file', 'ends', ''],
  rows: all.map(({ file, expiresAt }) => [file, expiresAt, ago(expiresAt, now)]),
});

/** @param time RFC 3339 @param now seconds since the epoch */
function ago(time: string, now: number): string {
  const seconds = now - Date.parse(time) / 1000;
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** In its two largest units. */
function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const at = UNITS.findIndex(([, size]) => whole >= size);
  if (at === -1) return '0 s';
  const [unit, size] = UNITS[at]!;
  const next = UNITS[at + 1];
  const rest = next === undefined ? 0 : Math.floor((whole % size) / next[1]);
  const first = `${Math.floor(whole / size)} ${unit}`;
  return rest === 0 ? first : `${first} ${rest} ${next![0]}`;
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
