/** .github/workflows/release.yml, as projen writes it: who may publish, with what, and what is attached. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../support/synth';

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly if?: string;
  readonly env?: Record<string, string>;
}
interface Job {
  readonly permissions: Record<string, string>;
  readonly environment?: string;
  readonly needs?: string | string[];
  readonly steps: Step[];
}

const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const WORKFLOWS = join('.github', 'workflows');
const text = read(WORKFLOWS, 'release.yml');
const { on, jobs } = parse(text) as { on: object; jobs: Record<string, Job> };
const { release: build, ...publishing } = jobs;
const step = (job: Job, name: string) => job.steps.find((one) => one.name === name)!;
const namesWhere = (holds: (job: Job) => boolean) => Object.keys(jobs).filter((name) => holds(jobs[name]));
const secretsOf = (value: unknown) =>
  [...JSON.stringify(value).matchAll(/secrets\.(\w+)/g)].map(([, name]) => name);

describe('the release workflow', () => {
  it('is started by a person, and publishes where a person approves it', () => {
    expect(Object.keys(on)).toEqual(['workflow_dispatch']);
    expect(Object.keys(publishing)).toHaveLength(6);
    for (const job of Object.values(publishing)) expect(job.environment).toBe('release');
  });

  it('lets a job ask for an identity where a registry trusts it, and write where the release is made', () => {
    expect(namesWhere(({ permissions }) => permissions['id-token'] === 'write').sort()).toEqual([
      'release_npm',
      'release_nuget',
      'release_pypi',
    ]);
    expect(namesWhere(({ permissions }) => permissions.contents !== 'read')).toEqual(['release_github']);
    const granted = Object.values(jobs).flatMap(({ permissions }) => Object.keys(permissions));
    expect([...new Set(granted)].sort()).toEqual(['contents', 'id-token']);
  });

  it('has no token that lives long where a registry trusts an identity', () => {
    const secrets = Object.entries(jobs).map(([name, job]) => [name, secretsOf(job)]);
    expect(Object.fromEntries(secrets)).toEqual({
      release: [],
      release_npm: [],
      release_pypi: [],
      // The name of the account, which is no secret.
      release_nuget: ['NUGET_USERNAME'],
      release_github: ['GITHUB_TOKEN', 'GITHUB_TOKEN'],
      // Maven Central and another repository of GitHub trust no identity of a workflow.
      release_maven: [
        'MAVEN_GPG_PRIVATE_KEY',
        'MAVEN_GPG_PRIVATE_KEY_PASSPHRASE',
        'MAVEN_PASSWORD',
        'MAVEN_USERNAME',
        'MAVEN_STAGING_PROFILE_ID',
      ],
      release_golang: ['GO_GITHUB_DEPLOY_KEY'],
    });
  });

  it('publishes to npm with provenance, and to PyPI with attestations', () => {
    expect(step(jobs.release_npm, 'Release').env).toMatchObject({
      NPM_TRUSTED_PUBLISHER: 'true',
      NPM_CONFIG_PROVENANCE: 'true',
    });
    const { env } = step(jobs.release_pypi, 'Release');
    expect(env).toMatchObject({ PYPI_TRUSTED_PUBLISHER: 'true' });
    expect(env).not.toHaveProperty('PYPI_DISABLE_ATTESTATIONS');
  });

  it('attaches the SBOM of what it built', () => {
    expect(step(build, 'Add the SBOM').run).toBe('cp assets/sbom.cdx.json dist/');
    const names = build.steps.map(({ name }) => name);
    expect(names.indexOf('Add the SBOM')).toBeGreaterThan(names.indexOf('release'));
    expect(names.indexOf('Add the SBOM')).toBeLessThan(names.indexOf('Upload artifact'));
    const attach = step(jobs.release_github, 'Attach the SBOM');
    expect(attach.run).toMatch(/^gh release upload "\$\(cat dist\/releasetag\.txt\)" dist\/sbom\.cdx\.json /);
    expect(attach.if).toBe('${{ !inputs.dry_run }}');
    expect(jobs.release_github.needs).toEqual(
      expect.arrayContaining(['release', 'release_npm', 'release_pypi']),
    );
  });

  it('publishes what was tested: no job builds anew', () => {
    const { tasks } = JSON.parse(read('.projen', 'tasks.json')) as {
      tasks: Record<string, { env?: object }>;
    };
    for (const language of ['js', 'java', 'python', 'dotnet', 'go'])
      expect(tasks[`package:${language}`].env).toEqual({ npm_config_ignore_scripts: 'true' });
  });
});

describe('every workflow', () => {
  const all = readdirSync(join(root, WORKFLOWS)).map((file) => [file, read(WORKFLOWS, file)]);

  it.each(all)('%s takes actions by a commit, or by an exact version', (_, workflow) => {
    const uses = [...workflow.matchAll(/uses: (\S+)/g)].map(([, action]) => action);
    expect(uses.length).toBeGreaterThan(0);
    // A version by name is of a release that GitHub keeps as it is: projen marks these as immutable.
    expect(uses.filter((action) => !/@([0-9a-f]{40}|v\d+\.\d+\.\d+)$/.test(action))).toEqual([]);
  });
  it.each(all)('%s runs no tool of npm without its version', (_, workflow) => {
    const fetched = [...workflow.matchAll(/npx '?-p'? '?([^' ]+)/g)].map(([, tool]) => tool);
    expect(fetched.filter((tool) => !/@\d+\.\d+\.\d+$/.test(tool))).toEqual([]);
  });
  it.each(all)('%s names no host', (_, workflow) => {
    const hosts = [...workflow.matchAll(/\b(?:[\w-]+\.)+(?:com|dev|io|net|org)\b/g)].map(([host]) => host);
    // Of the addresses of bots in commits.
    expect(hosts.filter((host) => host !== 'users.noreply.github.com')).toEqual([]);
  });
});
