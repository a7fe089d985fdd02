/**
 * Programs of Kubernetes for the tests, built from source, since releases are not everywhere to be had. They are of
 * one Go module, so that what they share is compiled once: some minutes, then from a cache.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');
const module = join(import.meta.dirname, '..', 'cluster', 'controlplane');
const VERSION = /k8s\.io\/kubernetes v(\d+)\.(\d+)\.(\d+)/;

const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => readFileSync(join(module, name)));
const [, major, minor, patch] = VERSION.exec(sources[0]!.toString())!;

/** Of Kubernetes, as all of them report it. */
export const KUBERNETES_VERSION = `v${major}.${minor}.${patch}`;

/** By the name of the file; each is a package of the module. */
const PACKAGES = {
  'kube-apiserver': '.',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
  helm3: 'helm.sh/helm/v3/cmd/helm',
  helm4: 'helm.sh/helm/v4/cmd/helm',
} as const;

export type GoProgram = keyof typeof PACKAGES;

/** Its path; built where it is not yet. */
export function goProgram(name: GoProgram): string {
  const hash = createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 16);
  const dir = join(root, 'node_modules', '.cache', 'controlplane', hash);
  const program = join(dir, name);
  if (existsSync(program)) return program;
  mkdirSync(dir, { recursive: true });
  const said = (variable: string, value: string) => `-X k8s.io/component-base/version.${variable}=${value}`;
  const flags = [
    '-s -w',
    said('gitVersion', KUBERNETES_VERSION),
    said('gitMajor', major!),
    said('gitMinor', minor!),
  ];
  const made = `${program}.${process.pid}`;
  const began = performance.now();
  process.stderr.write(`${name}: building it, which takes some minutes\n`);
  execFileSync(
    'go',
    ['build', '-trimpath', '-buildvcs=false', '-ldflags', flags.join(' '), '-o', made, PACKAGES[name]],
    { cwd: module, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  renameSync(made, program);
  process.stderr.write(`${name}: built in ${Math.round((performance.now() - began) / 1000)} s\n`);
  return program;
}
