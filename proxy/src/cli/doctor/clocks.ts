/** Clocks: DPoP compares those of clients, issuers and nodes, and refuses what is off by more than its skew. */
import type { Clock } from '../../clock.js';
import { listAt, textAt } from '../kube-objects.js';
import { askStatus } from '../read-status.js';
import { askCluster, type Cluster } from './cluster.js';
import type { Finding } from './finding.js';

const CHECK = 'clock';
/** An answer has whole seconds, and was on its way. */
const TOLERANCE_SECONDS = 5;
const WANT = `this machine's, within ${TOLERANCE_SECONDS} s`;
const NEXT =
  'compare both with a third (NTP), and mend the one that is wrong: docs/runbook.md, AgentgatewayClocksWrong';
/** A kubelet renews its lease every 10 s; of a ready node it is late by no more than this. */
const RENEWED_SECONDS = 15;
const REVIEW = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };

export interface ClocksAsked {
  readonly cluster: Cluster | undefined;
  /** Of a gateway's admin port. */
  readonly admin: URL | undefined;
  /** Also where there is no cluster to ask, which is said then. */
  readonly always: boolean;
}

export const checkClocks = async (
  { cluster, admin, always }: ClocksAsked,
  now: Clock,
): Promise<readonly Finding[]> => [
  ...(cluster === undefined && !always ? [] : await checkApiServerClock(cluster, now)),
  ...(await checkNodeClocks(cluster, now)),
  ...(admin === undefined ? [] : [await gatewayClock(admin, now)]),
];

/** Any user may ask who it is; the answer is not stored, and says when it was made. */
const checkApiServerClock = (cluster: Cluster | undefined, now: Clock) => {
  const question = { check: CHECK, of: 'API server', want: WANT };
  return askCluster(cluster, question, async (asked) => {
    const began = now();
    const review = await asked.review('/apis/authentication.k8s.io/v1/selfsubjectreviews', REVIEW);
    const said = secondsOf(textAt(review, 'metadata', 'creationTimestamp'));
    return [compared(question.of, said, { from: began, to: now() })];
  });
};

/** The gateway's clock is that of its node, with which the kubelet renews its lease. */
async function checkNodeClocks(cluster: Cluster | undefined, now: Clock): Promise<readonly Finding[]> {
  if (cluster === undefined) return [];
  return askCluster(cluster, { check: CHECK, of: 'nodes', want: WANT }, async (asked) => {
    const nodes = listAt(await asked.get('/api/v1/nodes'), 'items').filter(isReady);
    const names = new Set(nodes.map((node) => textAt(node, 'metadata', 'name')));
    const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
    const leases = listAt(await asked.get(path), 'items').filter((lease) =>
      names.has(textAt(lease, 'metadata', 'name')),
    );
    const span = { from: now() - RENEWED_SECONDS, to: now() };
    return leases.map((lease) =>
      compared(
        `node ${textAt(lease, 'metadata', 'name')}`,
        secondsOf(textAt(lease, 'spec', 'renewTime')),
        span,
      ),
    );
  });
}

const isReady = (node: unknown): boolean =>
  listAt(node, 'status', 'conditions').some(
    (condition) => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
  );

async function gatewayClock(admin: URL, now: Clock): Promise<Finding> {
  const of = `gateway ${admin.origin}`;
  const began = now();
  try {
    const { time } = await askStatus(admin);
    return compared(of, secondsOf(time), { from: began, to: now() });
  } catch (cause) {
    const next = 'reach its admin port: kubectl port-forward deployment/NAME 9090';
    return { check: CHECK, of, want: WANT, result: 'unknown', got: (cause as Error).message, next };
  }
}

const secondsOf = (time: string | undefined): number => Date.parse(time ?? '') / 1000;

/** @param span when, by this machine's clock, it was said */
export function compared(
  of: string,
  said: number,
  span: { readonly from: number; readonly to: number },
): Finding {
  const finding = { check: CHECK, of, want: WANT };
  if (Number.isNaN(said))
    return { ...finding, result: 'unknown', got: 'an answer without its time', next: NEXT };
  const off = said > span.to ? said - span.to : Math.min(0, said - span.from);
  const seconds = Math.round(Math.abs(off));
  const got = seconds === 0 ? 'the same' : `${seconds} s ${off < 0 ? 'behind' : 'ahead'}`;
  return Math.abs(off) > TOLERANCE_SECONDS
    ? { ...finding, result: 'fault', got, next: NEXT }
    : { ...finding, result: 'ok', got };
}
