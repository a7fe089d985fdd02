/** Label selectors, and what the egress rules of NetworkPolicies open. */
import { BlockList, isIP } from 'node:net';
import { at, listAt, textAt } from '../kube-objects.js';

type Labels = Readonly<Record<string, unknown>>;

/** @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/, set-based requirements */
export function selects(selector: unknown, labels: Labels): boolean {
  const named = Object.entries((at(selector, 'matchLabels') ?? {}) as Labels);
  return (
    named.every(([name, value]) => labels[name] === value) &&
    listAt(selector, 'matchExpressions').every((expression) => matches(expression, labels))
  );
}

function matches(expression: unknown, labels: Labels): boolean {
  const value = labels[textAt(expression, 'key') ?? ''];
  const values = listAt(expression, 'values');
  switch (textAt(expression, 'operator')) {
    case 'In':
      return values.includes(value);
    case 'NotIn':
      return !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

/** An address that a pod must reach by TCP. */
export interface Target {
  readonly address: string;
  readonly port: number;
}

export const textOf = ({ address, port }: Target): string =>
  isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;

/** Whether a rule of a NetworkPolicy opens it. A rule without peers is for everybody, one without ports for all. */
export function opens(rule: unknown, { address, port }: Target): boolean {
  const [peers, ports] = [listAt(rule, 'to'), listAt(rule, 'ports')];
  return (
    (peers.length === 0 || peers.some((peer) => isIn(at(peer, 'ipBlock'), address))) &&
    (ports.length === 0 || ports.some((each) => isPort(each, port)))
  );
}

function isPort(each: unknown, port: number): boolean {
  const [first, last] = [at(each, 'port'), at(each, 'endPort')];
  if ((textAt(each, 'protocol') ?? 'TCP') !== 'TCP') return false;
  if (first === undefined || first === port) return true;
  return typeof first === 'number' && typeof last === 'number' && first <= port && port <= last;
}

function isIn(block: unknown, address: string): boolean {
  const range = textAt(block, 'cidr');
  if (range === undefined || !holds(range, address)) return false;
  return !listAt(block, 'except').some(
    (excepted) => typeof excepted === 'string' && holds(excepted, address),
  );
}

function holds(range: string, address: string): boolean {
  const [network = '', bits] = range.split('/');
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  try {
    list.addSubnet(network, Number(bits), family);
  } catch {
    return false; // The API server refuses it.
  }
  return isIP(address) === isIP(network) && list.check(address, family);
}

/** The address ranges of a rule, each with its ports. */
export const rangesOf = (rule: unknown): readonly string[] =>
  listAt(rule, 'to').flatMap((peer) => {
    const cidr = textAt(peer, 'ipBlock', 'cidr');
    const ports = listAt(rule, 'ports').map((port) => JSON.stringify(at(port, 'port')));
    return cidr === undefined ? [] : [`${cidr}:${ports.join(',') || '*'}`];
  });
