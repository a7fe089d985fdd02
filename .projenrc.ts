import { readFileSync } from 'node:fs';
import { JsonPatch, TextFile, YamlFile, cdk8s, javascript, release } from 'projen';

/**
 * The interpreter of every npm script, and of the image that the constructs deploy. The library itself runs on
 * Node >= 20.18.
 */
const NODE = readFileSync('.node-version', 'utf8').trim();

/** What the bundle makes and lib imports. */
const BUNDLED = 'test -f assets/config.cjs || npm run --silent bundle -w proxy';

/** The version of the first release; after it the commits since the last one say which is next. */
const FIRST_VERSION = `node -e "if (process.env.VERSION === '0.0.0') console.log('0.1.0')"`;

/** What `npm test` needs of a machine; a test that does not find it fails in CI. */
const INSTALL_PROGRAMS = {
  name: 'Install the programs that tests need',
  run: 'sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends nginx redis-server tinyproxy',
};

const project = new cdk8s.ConstructLibraryCdk8s({
  name: 'cdk8s-agentgateway',
  description:
    'cdk8s constructs for a hardened MCP and Kubernetes-secrets gateway that enforces proof of possession ' +
    '(DPoP, RFC 9449)',
  author: 'cdk8s-agentgateway maintainers',
  authorAddress: 'maintainers@cdk8s-agentgateway.dev',
  authorOrganization: true,
  repositoryUrl: 'https://github.com/cdk8s-agentgateway/cdk8s-agentgateway.git',
  license: 'Apache-2.0',
  copyrightOwner: 'The cdk8s-agentgateway maintainers',
  keywords: ['cdk8s', 'kubernetes', 'dpop', 'rfc9449', 'mcp', 'gateway', 'agentgateway'],
  stability: 'experimental',

  srcdir: 'lib',
  libdir: 'build',
  testdir: 'test',
  entrypoint: 'build/index.js',
  sampleCode: false,
  projenrcTs: true,
  packageManager: javascript.NodePackageManager.NPM,
  minNodeVersion: '20.18.0',
  workflowNodeVersion: NODE,
  defaultReleaseBranch: 'main',
  // A person starts a release, and another approves the environment that it publishes from: docs/guides/releases.md.
  release: true,
  releaseTrigger: release.ReleaseTrigger.workflowDispatch(),
  releaseEnvironment: 'release',
  majorVersion: 0,
  nextVersionCommand: FIRST_VERSION,
  jsiiReleaseVersion: '0.2.1061',
  // Version 13 wants Node 22.
  bumpPackage: 'commit-and-tag-version@^12',
  npmTrustedPublishing: true,
  npmProvenance: true,
  releaseWorkflowSetupSteps: [INSTALL_PROGRAMS],
  postBuildSteps: [{ name: 'Add the SBOM', run: 'cp assets/sbom.cdx.json dist/' }],
  buildWorkflowOptions: { preBuildSteps: [INSTALL_PROGRAMS] },
  publishToPypi: { distName: 'cdk8s-agentgateway', module: 'cdk8s_agentgateway', trustedPublishing: true },
  publishToMaven: {
    javaPackage: 'io.github.cdk8sagentgateway',
    mavenGroupId: 'io.github.cdk8s-agentgateway',
    mavenArtifactId: 'cdk8s-agentgateway',
  },
  publishToNuget: {
    dotNetNamespace: 'Cdk8sAgentGateway',
    packageId: 'Cdk8sAgentGateway',
    trustedPublishing: true,
  },
  publishToGo: {
    moduleName: 'github.com/cdk8s-agentgateway/cdk8s-agentgateway-go',
    packageName: 'cdk8sagentgateway',
    // A workflow's identity writes to its own repository alone; a deploy key to the one that it is of.
    githubUseSsh: true,
  },
  depsUpgrade: false,
  integrationTestAutoDiscover: false,
  githubOptions: { mergify: false },

  // TypeScript 7 breaks ts-node, ts-jest and jsii; npm's `latest` is 7.
  jsiiVersion: '~6.0.0',
  typescriptVersion: '~6.0.0',
  cdk8sVersion: '2.70.0',
  constructsVersion: '10.3.0',
  peerDeps: ['cdk8s-plus-28@^2.5.6'],
  devDeps: [
    `node@${NODE}`,
    '@types/node@^24',
    'cdk8s-cli@^2.207.0',
    'dependency-cruiser@^18',
    'eslint@^9',
    '@typescript-eslint/eslint-plugin@^8',
    '@typescript-eslint/parser@^8',
    'prettier@^3.10.1',
    'ajv@^8',
    'ajv-formats@^3',
    'yaml@^2',
  ],

  // One eslint config of our own for every TypeScript file: eslint.config.mjs.
  eslint: false,

  // One formatter for every source file: prettier settles lines, eslint only checks what they say.
  prettier: true,
  prettierOptions: {
    ignoreFileOptions: {
      ignorePatterns: [
        '*.md',
        '*.json',
        '*.yaml',
        '*.yml',
        '*.html',
        '/assets/',
        '/build/',
        '/dist/',
        '/manifests/',
        '/charts/',
        '/coverage/',
        '/test-reports/',
        '/site/.vitepress/cache/',
        '/site/.vitepress/dist/',
      ],
    },
    settings: { printWidth: 110, singleQuote: true },
  },

  jestOptions: {
    jestVersion: '^30',
    updateSnapshot: javascript.UpdateSnapshot.NEVER,
    jestConfig: {
      testMatch: ['<rootDir>/test/{lib,apps,architecture,docs,package}/**/*.test.ts'],
      maxWorkers: 2,
      testTimeout: 20_000,
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/(e2e|conformance|languages)/'],
      setupFiles: ['<rootDir>/test/support/quiet.ts'],
      globalSetup: '<rootDir>/test/support/fresh-bundle.ts',
      modulePathIgnorePatterns: [
        '<rootDir>/build/',
        '<rootDir>/dist/',
        '<rootDir>/manifests/',
        '<rootDir>/charts/',
      ],
    },
  },
});

project.package.addField('workspaces', ['proxy']);
project.package.addField('files', [
  ...['build', 'assets', '!assets/types', '.jsii'],
  // Whatever a page links to: docs/reference/image.md builds from the package, too.
  ...['*.md', 'docs', 'apps', 'proxy/Dockerfile'],
]);
// `npx cdk8s-agentgateway init` finds the command that is called as the package is.
project.package.addField('bin', { agw: 'assets/agw.mjs', 'cdk8s-agentgateway': 'build/cli/init.js' });
// 1.13.0 lists platform packages that not every registry has, which fails `npm ci`.
project.package.addPackageResolutions('unrs-resolver@1.12.2');

for (const path of [
  '/assets/',
  '/manifests/',
  '/charts/',
  '/audit/',
  '/.demo/',
  '/proxy/coverage/',
  '/proxy/fuzz/found/',
  '/site/.vitepress/cache/',
  '/site/.vitepress/dist/',
  '/site/.vitepress/.temp/',
]) {
  project.addGitIgnore(path);
}

// --- tasks: what the README's commands run -----------------------------------------------------------------
const bundle = project.addTask('bundle', {
  description: 'proxy/ -> assets/: the proxy, its vendor chunks, the config parser and its types',
  steps: [{ exec: 'npm run --silent bundle -w proxy' }],
});
const clean = project.addTask('clean', {
  description: 'jsii does not remove the output of deleted sources',
  exec: 'rm -rf build',
});
project.preCompileTask.spawn(clean);
project.preCompileTask.spawn(bundle);

// What npm runs before it packs: a tarball is of the sources at hand, whatever was built before.
const prepack = project.addTask('prepack', { description: 'what the package has that git has not' });
prepack.spawn(project.preCompileTask);
prepack.spawn(project.compileTask);
const packages = ['js', 'python', 'java', 'dotnet', 'go'].map((language) => `package:${language}`);
// These pack what was built and tested; npm's own scripts would build it anew.
for (const name of packages) project.tasks.tryFind(name)?.env('npm_config_ignore_scripts', 'true');

project.addTask('synth', {
  description: 'every example app -> manifests/',
  exec: 'cdk8s synth',
  receiveArgs: true,
  env: { CDK8S_CHECK_UPGRADE: 'false' },
});
project.addTask('synth:helm', {
  description: 'every example app as a Helm chart -> charts/',
  env: { CDK8S_CHECK_UPGRADE: 'false' },
  steps: [
    { exec: BUNDLED },
    ...['quickstart', 'reference', 'demo'].map((name) => ({
      exec:
        `cdk8s synth --app "npx ts-node -T apps/main.ts ${name}" --format helm ` +
        `--chart-version 0.0.0 --output charts/${name}`,
    })),
  ],
});
// A plain script: a task runner between npm and the demo would swallow the signal that ends it.
project.package.setScript('demo', 'node test/demo/run.mjs');
project.addTask('bench', {
  exec: 'npm run --silent bench -w proxy --',
  receiveArgs: true,
  description: 'CPU per proxied request',
});
project.addTask('siege', {
  exec: 'npm run --silent siege -w proxy --',
  receiveArgs: true,
  description:
    'every attack of proxy/bench/siege at a fixed size, with an honest client beside it; bundle first',
});
project.addTask('fuzz', {
  exec: 'npm run --silent fuzz -w proxy --',
  receiveArgs: true,
  description: 'coverage-guided fuzzing of what reads bytes of strangers, for FUZZ_SECONDS (300)',
});

project.addTask('test:e2e', {
  exec: 'npm run --silent test:e2e -w proxy --',
  receiveArgs: true,
  description:
    'the shipped bundle under load, faults and rollouts, and with a real Keycloak; bundle first after a change',
});

project.addTask('test:soak', {
  exec: 'npm run --silent test:soak -w proxy --',
  receiveArgs: true,
  description: 'a day of the clock in SOAK_MINUTES (20): nothing grows; bundle first after a change',
});
project.addTask('test:cluster', {
  exec: 'npm run --silent test:cluster -w proxy --',
  receiveArgs: true,
  description:
    'synthesized manifests and the shipped bundle against a real kube-apiserver, which is built once; ' +
    'bundle first after a change',
});

project.addTask('test:runbook', {
  exec: 'npm run --silent test:runbook -w proxy --',
  receiveArgs: true,
  description:
    'the procedures of docs/runbook.md as they stand there, and five faults mended by them; bundle first ' +
    'after a change',
});

project.addTask('test:node', {
  exec: 'node test/node/run.mjs',
  receiveArgs: true,
  description: 'the tests of the rooms that touch Node itself, on the newest Node 24 and 26',
});

const languages = project.addTask('test:languages', {
  env: { JEST_JUNIT_OUTPUT_NAME: 'languages.xml' },
  exec: "jest --coverage=false --testPathIgnorePatterns /node_modules/ --testMatch '**/test/languages/**/*.test.ts'",
  receiveArgs: true,
  description:
    'the wheel in a fresh virtual environment, Java and Go compiled: the quickstart in each writes the same manifests',
});
languages.prependSpawn(project.compileTask);

// A package of its own and no workspace: who installs the library or works on it does not wait for a site.
const docs = project.addTask('docs', {
  description: 'docs/ as a site -> site/.vitepress/dist/, opened in chromium; a dead link fails',
});
docs.exec('npm run --silent build', { cwd: 'site' });
docs.exec('npm run --silent test:docs -w proxy');

const SOURCES = "'**/*.{ts,mts,cts,mjs,cjs,js}' .projenrc.ts .dependency-cruiser.cjs";
project.addTask('format', {
  exec: `prettier --write ${SOURCES}`,
  description: 'prettier settles the lines of every source file',
});
const lint = project.addTask('lint', {
  exec: 'eslint --max-warnings 0 .',
  description: 'what a reader can rely on in every TypeScript file: eslint.config.mjs',
});
const formatCheck = project.addTask('format:check', {
  exec: `prettier --check ${SOURCES}`,
  description: 'no source file that prettier would change',
});

// Each script works straight after `npm ci`: it makes what it needs and does not find.
const bundled = [
  'lint',
  'test:update',
  'test:watch',
  'watch',
  'bench',
  'siege',
  'test:e2e',
  'test:soak',
  'test:cluster',
  'test:runbook',
  'test:node',
  'test:languages',
];
for (const name of bundled) project.tasks.tryFind(name)?.prependExec(BUNDLED);
for (const name of ['docgen', ...packages]) {
  project.tasks.tryFind(name)?.prependExec('test -f .jsii || (npx projen pre-compile && npx projen compile)');
}
project.compileTask.prependExec(BUNDLED);
// There is no published version to compare with, and nothing here is meant to be ejected or reset from a script.
for (const name of ['compat', 'clobber', 'eject']) project.removeTask(name);

project.testTask.prependExec('tsc --noEmit -p test/tsconfig.json');
project.testTask.prependExec('npm run --silent typecheck -w proxy');
project.testTask.prependSpawn(project.compileTask);
project.testTask.prependSpawn(bundle);
project.testTask.exec('npm run --silent test -w proxy');
// Last, so that a long line does not hide a test that fails.
project.testTask.spawn(lint);
project.testTask.spawn(formatCheck);

// The example apps are compiled like the tests of the library; these rooms of test/ like the proxy.
project.tsconfigDev.addInclude('../apps/**/*.ts');
for (const room of ['conformance', 'e2e']) project.tsconfigDev.addExclude(room);

new YamlFile(project, 'cdk8s.yaml', {
  marker: true,
  obj: { language: 'typescript', app: `${BUNDLED} && npx ts-node -T apps/main.ts`, output: 'manifests' },
});

for (const npmrc of ['.npmrc', 'site/.npmrc']) {
  new TextFile(project, npmrc, {
    lines: ['# no registry addresses in the lock file', 'omit-lockfile-registry-resolved=true', ''],
  });
}

// --- the release: what projen grants or names beyond what is needed ----------------------------------------
project.release?.publisher.addGitHubPostPublishingSteps({
  name: 'Attach the SBOM',
  if: '${{ !inputs.dry_run }}',
  run: 'gh release upload "$(cat dist/releasetag.txt)" dist/sbom.cdx.json --clobber -R "$GITHUB_REPOSITORY"',
  env: { GITHUB_TOKEN: '${{ secrets.GITHUB_TOKEN }}' },
});
project
  .tryFindObjectFile('.github/workflows/release.yml')
  ?.patch(
    JsonPatch.replace('/jobs/release/permissions/contents', 'read'),
    JsonPatch.remove('/jobs/release_npm/steps/9/env/NPM_REGISTRY'),
  );

project.synth();
