/**
 * Programs of Kubernetes and of its operators for the tests, built from source, since releases are not everywhere to
 * be had. Those of one Go module compile once what they share: some minutes, then from a cache.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');
const cluster = join(import.meta.dirname, '..', 'cluster');
const VERSION = /k8s\.io\/kubernetes v(\d+)\.(\d+)\.(\d+)/;
/** A module of programs of others has no `main.go`. */
const SOURCES = ['go.mod', 'go.sum', 'main.go'];

const [, major, minor, patch] = VERSION.exec(readFileSync(join(cluster, 'controlplane', 'go.mod'), 'utf8'))!;

/** Of Kubernetes, as all of them report it. */
export const KUBERNETES_VERSION = `v${major}.${minor}.${patch}`;

/** By the name of the file: the folder of its module, and its package. */
const PROGRAMS = {
  'kube-apiserver': ['controlplane', '.'],
  kubectl: ['controlplane', 'k8s.io/kubernetes/cmd/kubectl'],
  helm3: ['controlplane', 'helm.sh/helm/v3/cmd/helm'],
  helm4: ['controlplane', 'helm.sh/helm/v4/cmd/helm'],
  // They need older packages of Kubernetes.
  'kubectl-validate': ['kubectl-validate', 'sigs.k8s.io/kubectl-validate'],
  'kube-score': ['kube-score', 'github.com/zegl/kube-score/cmd/kube-score'],
  'cert-manager': ['cert-manager', '.'],
  'external-secrets': ['external-secrets', '.'],
  openbao: ['openbao', '.'],
} as const;

export type GoProgram = keyof typeof PROGRAMS;

/** Where the source of a module is that this folder's go.mod requires. */
export function goModule(folder: string, path: string): string {
  const place = { cwd: join(cluster, folder), encoding: 'utf8' } as const;
  const { stdout, error } = spawnSync('go', ['mod', 'download', '-json', path], place);
  if (error !== undefined) throw error;
  const said = JSON.parse(stdout) as { readonly Dir: string; readonly Error?: string };
  if (said.Error !== undefined) throw new Error(`${path}: cannot be had: ${said.Error}`);
  return said.Dir;
}

const OPERATOR = 'github.com/external-secrets/external-secrets';
/** What its controllers import all providers and generators by. */
const REGISTERED = {
  'pkg/provider/register/register.go': `package register\n\nimport _ "${OPERATOR}/pkg/provider/vault"\n`,
  'pkg/generator/register/register.go': 'package register\n',
};

/**
 * The External Secrets Operator as it is released, with its own go.mod, but for the providers: of some thirty only
 * Vault's, which is OpenBao's too, is compiled. Newer releases have a build tag for that.
 * @returns a folder to be removed
 */
function operatorWithOneProvider(): string {
  const source = mkdtempSync(join(tmpdir(), 'agw-operator-'));
  execFileSync('cp', ['-r', '--no-preserve=mode', `${goModule('external-secrets', OPERATOR)}/.`, source]);
  for (const [file, text] of Object.entries(REGISTERED)) writeFileSync(join(source, file), text);
  return source;
}

/** Where it is once it is built: a folder for each state of its module. */
function programPath(name: GoProgram): string {
  const [module] = PROGRAMS[name];
  const sources = SOURCES.map((file) => join(cluster, module, file)).filter(existsSync);
  const text = Buffer.concat(sources.map((file) => readFileSync(file)));
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return join(root, 'node_modules', '.cache', module, hash, name);
}

/** Gives `use` the folder to build it in. */
function withSource<T>(name: GoProgram, use: (source: string) => T): T {
  if (name !== 'external-secrets') return use(join(cluster, PROGRAMS[name][0]));
  const source = operatorWithOneProvider();
  try {
    return use(source);
  } finally {
    rmSync(source, { recursive: true });
  }
}

const NOT_SERVED =
  /\b(403|404|410|429|5\d\d) [A-Z]|\bdial tcp\b|\bi\/o timeout\b|\btoolchain not available\b/;

/**
 * Whether go says that a registry does not give a module. Anything else, as a sum that is missing or another, is a
 * fault of ours, or an attack, and no reason to skip a test.
 */
export const isNotServed = (said: string): boolean => NOT_SERVED.test(said);

/** Modules that the registry does not serve, with its own words; empty where these programs can be built. */
export function modulesNotServed(...names: readonly GoProgram[]): string[] {
  return names.flatMap((name) => {
    if (existsSync(programPath(name))) return [];
    try {
      withSource(name, (cwd) =>
        execFileSync('go', ['list', '-deps', PROGRAMS[name][1]], {
          cwd,
          stdio: ['ignore', 'ignore', 'pipe'],
        }),
      );
      return [];
    } catch (cause) {
      const { message } = cause as Error;
      if (!isNotServed(message)) throw cause;
      return [`modules of ${name}: ${message.slice(0, 500)}`];
    }
  });
}

/** Its path; built where it is not yet. */
export function goProgram(name: GoProgram): string {
  const main = PROGRAMS[name][1];
  const program = programPath(name);
  if (existsSync(program)) return program;
  mkdirSync(dirname(program), { recursive: true });
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
  withSource(name, (cwd) =>
    execFileSync(
      'go',
      ['build', '-trimpath', '-buildvcs=false', '-ldflags', flags.join(' '), '-o', made, main],
      { cwd, stdio: ['ignore', 'inherit', 'inherit'] },
    ),
  );
  renameSync(made, program);
  process.stderr.write(`${name}: built in ${Math.round((performance.now() - began) / 1000)} s\n`);
  return program;
}
