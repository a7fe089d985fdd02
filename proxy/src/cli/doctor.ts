/** `agw doctor`: what will not work of a gateway's manifests in the cluster that they are for. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { wallClock } from '../clock.js';
import { CliError, jsonLine, type Command } from './command.js';
import { checkApiServer } from './doctor/api-server.js';
import { checkApis } from './doctor/apis.js';
import { checkCertificates, hasCertificates } from './doctor/certificates.js';
import { checkClocks } from './doctor/clocks.js';
import { kubectlCluster, objectsIn, type Cluster } from './doctor/cluster.js';
import { countOf, tableOf, type Finding } from './doctor/finding.js';
import { checkAppArmor, checkNetworkPlugin } from './doctor/nodes.js';
import { checkRedis, redisOf, REDIS_OPTIONS } from './doctor/redis.js';
import { checkVersions } from './doctor/versions.js';
import { objectsOf, readInput } from './kube-objects.js';
import { gatewaysIn } from './mounted-gateway.js';
import { statusUrl } from './read-status.js';

const OPTIONS = {
  cluster: { type: 'boolean', default: false },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  namespace: { type: 'string' },
  admin: { type: 'string' },
  ...REDIS_OPTIONS,
  json: { type: 'boolean', default: false },
} as const;

export const doctor: Command = {
  usage:
    'doctor [MANIFEST|DIR|CERTIFICATE|-]... [--cluster] [--context NAME] [--kubeconfig FILE] ' +
    '[--namespace NAME] [--admin URL] ' +
    '[--redis URL [--redis-username NAME] [--redis-password-file FILE] [--redis-cacert FILE]] [--json]   ' +
    'asks a cluster by kubectl; without a manifest, about what runs in --namespace',
  summary:
    'says what of a gateway will not work: Kubernetes, nodes, network, APIs, clocks, Redis, certificates; 0 ' +
    'if there is no fault',
  run: (args, { out }) => runDoctor(args, out),
};

async function runDoctor(args: readonly string[], out: (text: string) => void): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
  const { context, kubeconfig, namespace } = values;
  const asks = values.cluster || [context, kubeconfig, namespace].some((value) => value !== undefined);
  const cluster = asks ? kubectlCluster({ kubeconfig, context }) : undefined;
  const redis = redisOf(values);
  const admin = values.admin === undefined ? undefined : statusUrl(values.admin);
  if (positionals.length === 0 && [namespace, redis, admin].every((value) => value === undefined))
    throw new CliError('MANIFEST', 'is required, or --namespace', undefined, 'name a file, a folder, or -');
  const { objects, certificates, unread } = await subjectsOf(positionals, namespace, cluster);
  const findings = [
    ...unread,
    ...(objects.length === 0 ? [] : await checkObjects(objects, cluster)),
    ...checkCertificates(objects, certificates, wallClock()),
    ...(await checkClocks({ cluster, admin, always: objects.length > 0 }, wallClock)),
    ...(await checkRedis(objects, redis, wallClock)),
  ];
  const faults = countOf(findings, 'fault');
  if (values.json) out(jsonLine({ faults, findings }));
  else for (const line of tableOf(findings)) out(line);
  return faults === 0 ? 0 : 1;
}

/** What is named; where nothing is, what runs in the namespace. */
async function subjectsOf(
  paths: readonly string[],
  namespace: string | undefined,
  cluster: Cluster | undefined,
): Promise<Subjects> {
  if (paths.length > 0) return readSubjects(paths);
  const unread: Finding[] = [];
  const running = namespace !== undefined && cluster !== undefined;
  const objects = running ? await objectsIn(namespace, cluster, (finding) => unread.push(finding)) : [];
  if (running && unread.length === 0 && gatewaysIn(objects).length === 0) unread.push(noGatewayIn(namespace));
  return { objects, certificates: new Map(), unread };
}

const noGatewayIn = (namespace: string): Finding => ({
  check: 'what runs',
  of: namespace,
  want: 'a gateway',
  result: 'fault',
  got: 'no gateway',
  next: 'name the namespace that it runs in',
});

async function checkObjects(
  objects: readonly unknown[],
  cluster: Cluster | undefined,
): Promise<readonly Finding[]> {
  const found = await Promise.all([
    checkVersions(objects, cluster),
    checkAppArmor(objects, cluster),
    checkNetworkPlugin(cluster),
    checkApis(objects, cluster),
    checkApiServer(objects, cluster),
  ]);
  return found.flat();
}

interface Subjects {
  readonly objects: readonly unknown[];
  /** Name of a file -> PEM. */
  readonly certificates: ReadonlyMap<string, string>;
  /** What may not be read, or is not there. */
  readonly unread: readonly Finding[];
}

/** On one line, too: JSON as jq -c writes it. */
const IS_MANIFEST = /(^|[\s{,])(["']?)kind\2\s*:/m;

function readSubjects(paths: readonly string[]): Subjects {
  const certificates = new Map<string, string>();
  const objects = paths.flatMap(filesAt).flatMap((file) => {
    const text = readInput(file).toString('utf8');
    if (!hasCertificates(text) || IS_MANIFEST.test(text)) return objectsOf(text, file);
    certificates.set(file, text);
    return [];
  });
  if (objects.length === 0 && certificates.size === 0)
    throw new CliError(
      'MANIFEST',
      'must have objects of Kubernetes, or certificates',
      'none',
      'did what writes them fail?',
    );
  return { objects, certificates, unread: [] };
}

/** Of a folder what may be manifests. */
function filesAt(path: string): readonly string[] {
  if (path === '-' || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
  const files = readdirSync(path).filter((name) => /\.(ya?ml|json)$/.test(name));
  if (files.length === 0) throw new CliError(path, 'must have files that end in .yaml, .yml or .json');
  return files.sort().map((name) => join(path, name));
}
