/** When the certificates of manifests and files begin and end. */
import { X509Certificate } from 'node:crypto';
import { dateOf } from '../../keys/tls-files.js';
import { at, idOf, textAt } from '../kube-objects.js';
import type { Finding } from './finding.js';

/** As the alert has it. */
const SOON_DAYS = 7;
const DAY_SECONDS = 86_400;
const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
/** The chain of a server: its first certificate is its own. All others are bundles of roots. */
const CHAIN = /(^|[/ ])tls\.crt$/;

/** A text, and where it is from. */
interface Source {
  readonly of: string;
  readonly text: string;
}

/** Libraries have some in them, for servers that our gateways do not use. */
const CODE = /\.[cm]?js$/;

export const hasCertificates = (text: string): boolean => text.search(PEM) !== -1;

/** @param files PEM, by their names */
export function checkCertificates(
  objects: readonly unknown[],
  files: ReadonlyMap<string, string>,
  now: number,
): readonly Finding[] {
  const sources = [...objects.flatMap(sourcesIn), ...[...files].map(([of, text]) => ({ of, text }))];
  return sources.flatMap((source) => certificateFinding(source, now));
}

function sourcesIn(object: unknown): readonly Source[] {
  const kind = textAt(object, 'kind');
  if (kind !== 'Secret' && kind !== 'ConfigMap') return [];
  const texts = (member: string) =>
    Object.entries(at(object, member) ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string' && !CODE.test(entry[0]),
    );
  const encoded = kind === 'Secret' ? texts('data') : [];
  return [
    ...encoded.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('latin1')] as const),
    ...texts(kind === 'Secret' ? 'stringData' : 'data'),
  ].map(([key, text]) => ({ of: `${kind} ${idOf(object)} ${key}`, text }));
}

interface Validity {
  readonly from: number;
  readonly to: number;
}

function certificateFinding({ of, text }: Source, now: number): readonly Finding[] {
  const found = text.match(PEM) ?? [];
  if (found.length === 0) return [];
  const finding = { check: 'certificate', of, want: `valid now and for ${SOON_DAYS} days more` };
  const next = 'renew it: docs/runbook.md, "Rotate the certificate"';
  let all: Validity[];
  try {
    all = (CHAIN.test(of) ? found.slice(0, 1) : found).map(validityOf);
  } catch (cause) {
    return [{ ...finding, result: 'fault', got: `no certificate: ${(cause as Error).message}`, next }];
  }
  const { from, to } = firstToEnd(all, now);
  if (from > now)
    return [{ ...finding, result: 'fault', got: `begins ${dateOf(from)}`, next: 'set the clock' }];
  const got = `${to > now ? 'ends' : 'ended'} ${dateOf(to)}`;
  return to - now < SOON_DAYS * DAY_SECONDS
    ? [{ ...finding, result: 'fault', got, next }]
    : [{ ...finding, result: 'ok', got }];
}

/** Public bundles hold some that ended long ago, so these do not count while there are others. */
function firstToEnd(all: readonly Validity[], now: number): Validity {
  const byEnd = all.toSorted((a, b) => a.to - b.to);
  return byEnd.find(({ to }) => to > now) ?? byEnd.at(-1)!;
}

function validityOf(pem: string): Validity {
  const { validFrom, validTo } = new X509Certificate(pem);
  const [from, to] = [validFrom, validTo].map((date) => Date.parse(date) / 1000) as [number, number];
  // OpenSSL takes what is no date.
  if (Number.isNaN(from + to)) throw new Error(`it is valid from ${validFrom} to ${validTo}`);
  return { from, to };
}
