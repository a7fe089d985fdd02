/**
 * The commands of docs/guides, and those of docs/runbook.md that need a cluster, as they stand there and in their
 * order, in a project that `init` made, against a real API server with its controllers. A block that cannot run here
 * says why, and is counted.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { agw, TWO_HOURS_LATER } from '../support/agw.js';
import { missingForApiServer, startApiServer, type ApiServer } from '../support/api-server.js';
import { client, type Run } from '../support/client.js';
import { needs } from '../support/daemon.js';
import { goProgram } from '../support/go-program.js';
import { blocksOf, type Block } from '../support/guide.js';
import { startKubelet } from '../support/kubelet.js';

const root = join(import.meta.dirname, '..', '..', '..');
const NAMESPACE = 'aiops';
/** Blocks that do not run here, by their guide. */
const NOT_RUN = { 'deploy.md': 0, 'helm.md': 0, 'gitops.md': 2, 'platforms.md': 1 } as const;
type Guide = keyof typeof NOT_RUN;

const blocksIn = (...page: string[]) => blocksOf(readFileSync(join(root, 'docs', ...page), 'utf8'));
const guide = (name: Guide) => blocksIn('guides', name);

const missing = missingForApiServer();
needs('the guides', missing);
(missing.length === 0 ? describe : describe.skip)('the commands of a guide', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-guides-'));
  const project = join(dir, 'project');
  const bin = join(dir, 'bin');
  let api: ApiServer;
  let kubectl: Run;
  let stopKubelet: () => Promise<void>;
  let env: NodeJS.ProcessEnv;

  /** Of what a user has, `npm install` alone is left out: its packages are this repository's. */
  const makeProject = () => {
    mkdirSync(project);
    const loader = join(root, 'node_modules', 'ts-node', 'register', 'transpile-only');
    execFileSync(process.execPath, ['-r', loader, join(root, 'lib', 'cli', 'init.ts'), 'init'], {
      cwd: project,
      stdio: 'pipe',
      env: { ...process.env, NODE_OPTIONS: '', TS_NODE_PROJECT: join(root, 'tsconfig.json') },
    });
    const modules = join(project, 'node_modules');
    mkdirSync(join(modules, 'cdk8s-agentgateway'), { recursive: true });
    for (const name of ['.bin', '@types', 'cdk8s', 'cdk8s-plus-28', 'constructs', 'ts-node', 'typescript'])
      symlinkSync(join(root, 'node_modules', name), join(modules, name));
    // Its sources, so that nothing need be compiled first.
    const ours = { name: 'cdk8s-agentgateway', main: 'lib/index.ts' };
    writeFileSync(join(modules, 'cdk8s-agentgateway', 'package.json'), JSON.stringify(ours));
    symlinkSync(join(root, 'lib'), join(modules, 'cdk8s-agentgateway', 'lib'));
  };
  const makeBin = () => {
    mkdirSync(bin);
    symlinkSync(goProgram('kubectl'), join(bin, 'kubectl'));
    symlinkSync(goProgram('helm4'), join(bin, 'helm'));
    const [now, later] = [agw(), agw(TWO_HOURS_LATER)].map((words) =>
      words.map((word) => `'${word}'`).join(' '),
    );
    const script = `#!/bin/sh\nif [ "$1" = prune ]; then exec ${later} "$@"; fi\nexec ${now} "$@"\n`;
    writeFileSync(join(bin, 'agw'), script, { mode: 0o755 });
  };
  /** What a user does between two versions. */
  const edit = () => {
    const main = join(project, 'main.ts');
    const text = readFileSync(main, 'utf8');
    const edited = text.replace(/audience: '[^']*/, (audience) => `${audience}/next`);
    expect(edited).not.toBe(text);
    writeFileSync(main, edited);
  };
  const run = async (block: Block) => {
    if (block.title === 'Upgrade') edit();
    const shell = ['--noprofile', '--norc', '-euo', 'pipefail', '-c', block.commands];
    const ran = await promisify(execFile)('bash', shell, { cwd: project, env, timeout: 180_000 });
    return ran.stdout;
  };

  beforeAll(async () => {
    makeProject();
    makeBin();
    mkdirSync(join(dir, 'api'));
    api = await startApiServer({ dir: join(dir, 'api'), controllers: true });
    stopKubelet = startKubelet(api);
    kubectl = client('kubectl', api, dir);
    env = {
      PATH: [bin, process.env.PATH].join(delimiter),
      HOME: dir,
      KUBECONFIG: api.kubeconfig,
      CDK8S_CHECK_UPGRADE: 'false',
      JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION: '20',
      TS_NODE_TRANSPILE_ONLY: 'true',
      TS_NODE_COMPILER_OPTIONS: '{ "rootDir": "/" }', // the library's sources are not in the project
      // Of a user whose project is under version control.
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@example.com',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@example.com',
    };
    execFileSync('git', ['init', '--quiet'], { cwd: project, env });
  }, 1_500_000);
  afterAll(async () => {
    await stopKubelet?.();
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it.each(Object.keys(NOT_RUN) as Guide[])(
    '%s: run as they stand, but for those that say why not',
    async (name) => {
      const blocks = guide(name);
      const skipped = blocks.filter(({ notRun }) => notRun !== undefined);
      const counted = `blocks run: ${blocks.length - skipped.length}, not: ${skipped.length}`;
      const reasons = skipped.map(({ title, notRun }) => `\n  ${title}: ${notRun}`).join('');
      process.stderr.write(`docs/guides/${name}: ${counted}${reasons}\n`);
      expect(skipped).toHaveLength(NOT_RUN[name]);
      expect(blocks.length).toBeGreaterThan(skipped.length);
      for (const block of blocks.filter(({ notRun }) => notRun === undefined)) await run(block);
      // Each guide leaves nothing behind.
      kubectl(['wait', '--for=delete', `namespace/${NAMESPACE}`, '--timeout', '60s']);
    },
    600_000,
  );

  it('runbook.md: run as they stand, where they need a cluster', async () => {
    const of = (kind: string, path: string) =>
      kubectl(['get', kind, '-n', NAMESPACE, '-o', `jsonpath=${path}`]);
    const blocks = blocksIn('runbook.md').filter(({ needsCluster }) => needsCluster);
    expect([...new Set(blocks.map(({ title }) => title))]).toEqual([
      'Words',
      'Deploy',
      'Upgrade',
      'Roll back',
      'Prune',
      'Restart',
      'Break glass',
    ]);
    const glass = blocks.findIndex(({ title }) => title === 'Break glass');
    const [debug, loosen, restore, ...more] = blocks.slice(glass);
    expect(more).toEqual([]);
    for (const block of blocks.slice(0, glass)) await run(block);
    await run(debug!);
    expect(of('pods', '{..ephemeralContainers[*].name}')).toBe('debugger');
    const rules = 'validatingadmissionpolicybindings';
    const before = of(rules, '{..validationActions}');
    await run(loosen!);
    expect(of(rules, '{..validationActions}')).not.toMatch(/Deny/);
    await run(restore!);
    expect(of(rules, '{..validationActions}')).toBe(before);
    await run(guide('deploy.md').find(({ title }) => title === 'Uninstall')!);
    kubectl(['wait', '--for=delete', `namespace/${NAMESPACE}`, '--timeout', '60s']);
  }, 300_000);
});
