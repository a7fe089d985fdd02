/** What the image is made of. No registry is reachable where these tests run, so the Dockerfile is read, not built. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifests, pod, root } from '../support/synth';

const dockerfile = readFileSync(join(root, 'proxy', 'Dockerfile'), 'utf8');
const stages = dockerfile.split(/^(?=FROM )/m).slice(1);
const last = stages[stages.length - 1];
const asset = (name: string) => readFileSync(join(root, 'assets', name), 'utf8');

describe('the Dockerfile', () => {
  it('ends in a stage that runs as a user without a name, has no shell command and takes only what was checked', () => {
    expect(last).toMatch(/^USER 65532:65532$/m);
    expect(last).not.toMatch(/^(RUN|ADD)\b/m);
    expect(last.match(/^COPY .*$/gm)).toEqual(['COPY --from=check /code/ /opt/gateway/']);
  });
  it('starts what the constructs start, with the same flags and paths', () => {
    const { command } = pod(manifests()).containers[0];
    expect(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(last)![1])).toEqual(command);
  });
  it('takes images by digest only, and checks the one that it is told', () => {
    expect(dockerfile).not.toMatch(/:latest/);
    expect(/^ARG CHECK_IMAGE=(.*)$/m.exec(dockerfile)![1]).toMatch(/@sha256:[0-9a-f]{64}$/);
    expect(dockerfile).toMatch(/^ARG RUNTIME_IMAGE$/m);
    const [, script] = /^RUN node -e '(.*)' "\$\{RUNTIME_IMAGE\}"$/m.exec(dockerfile)!;
    const check = (image: string) => () =>
      execFileSync(process.execPath, ['-e', script, image], { stdio: 'pipe' });
    expect(check(`gcr.io/distroless/nodejs24-debian12@sha256:${'a'.repeat(64)}`)).not.toThrow();
    for (const image of [
      '',
      'gcr.io/distroless/nodejs24-debian12',
      'gcr.io/distroless/nodejs24-debian12:nonroot',
      `x@sha256:${'a'.repeat(63)}`,
    ]) {
      expect(check(image)).toThrow(/must be pinned by digest/);
    }
  });
  it('checks with the image that the constructs deploy, whose Node is the one that runs the tests', () => {
    const { image } = pod(manifests()).containers[0];
    const version = readFileSync(join(root, '.node-version'), 'utf8').trim();
    expect(`docker.io/library/${/^ARG CHECK_IMAGE=(.*)$/m.exec(dockerfile)![1]}`).toBe(image);
    expect(image).toContain(`/node:${version}-`);
    expect(process.version).toBe(`v${version}`);
    expect(dockerfile).toContain(`distroless/nodejs${version.split('.')[0]}-`);
  });
  it('refuses assets that are not those of the manifest', () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-image-'));
    try {
      const [, script] = /^RUN node -e '(const \{ createHash.*)'$/m.exec(dockerfile)!;
      cpSync(join(root, 'assets'), dir, { recursive: true });
      const check = () => execFileSync(process.execPath, ['-e', script], { cwd: dir, stdio: 'pipe' });
      expect(check).not.toThrow();
      execFileSync('sh', ['-c', 'echo >> proxy.mjs'], { cwd: dir });
      expect(check).toThrow(/proxy\.mjs: must have the hash of manifest\.json/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
  it('is sent the assets and nothing else', () => {
    expect(readFileSync(join(root, '.dockerignore'), 'utf8').trim().split('\n')).toEqual([
      '**',
      '!assets/*.mjs',
      '!assets/manifest.json',
      '!assets/sbom.cdx.json',
      '!assets/THIRD-PARTY-NOTICES.txt',
    ]);
  });
});

const bom = JSON.parse(asset('sbom.cdx.json')) as {
  components: { type: string; name: string; version: string; hashes?: { content: string }[] }[];
};

describe('the bundle', () => {
  it('is the same wherever it is made, and names no place', () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-elsewhere-'));
    try {
      for (const name of [
        'package.json',
        'proxy/src',
        'proxy/bundle.mjs',
        'proxy/dashboard.mjs',
        'proxy/sbom.mjs',
        'proxy/package.json',
        'proxy/tsconfig.json',
      ]) {
        cpSync(join(root, name), join(dir, name), { recursive: true });
      }
      // OpenTelemetry's exporter imports packages of which nothing is left in the bundle; the dashboard is data.
      const packages = [
        'esbuild',
        '@esbuild',
        '@opentelemetry',
        '@grafana',
        'tslib',
        ...bom.components.filter(({ type }) => type === 'library').map(({ name }) => name),
      ];
      for (const name of packages) {
        cpSync(join(root, 'node_modules', name), join(dir, 'node_modules', name), { recursive: true });
      }
      execFileSync('mkdir', [join(dir, 'assets')]);
      execFileSync(process.execPath, [join(dir, 'proxy', 'bundle.mjs')], { cwd: tmpdir(), stdio: 'pipe' });
      const made = readdirSync(join(dir, 'assets')).sort();
      expect(made).toEqual(
        readdirSync(join(root, 'assets'))
          .filter((name) => name !== 'types')
          .sort(),
      );
      for (const name of made) {
        expect([name, readFileSync(join(dir, 'assets', name), 'utf8') === asset(name)]).toEqual([name, true]);
        expect(asset(name)).not.toContain(root);
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  }, 60_000);
});

describe('the bill of materials', () => {
  it('is valid CycloneDX 1.6', () => {
    // The library is ESM with a CommonJS side that jest cannot map; a process of its own can.
    const script =
      "import { Spec, Validation } from '@cyclonedx/cyclonedx-library'; import { readFileSync } from 'node:fs';" +
      'const fault = await new Validation.JsonStrictValidator(Spec.Version.v1dot6)' +
      ".validate(readFileSync(process.argv[1], 'utf8')); if (fault !== null) { " +
      'console.error(JSON.stringify(fault)); process.exit(1); }';
    const validate = (file: string) =>
      execFileSync(process.execPath, ['--input-type=module', '-e', script, file], {
        cwd: join(root, 'proxy'),
        stdio: 'pipe',
      });
    expect(() => validate(join(root, 'assets', 'sbom.cdx.json'))).not.toThrow();
    expect(() => validate(join(root, 'package.json'))).toThrow();
  });
  it('goes with the licence of everything that it names', () => {
    const notices = asset('THIRD-PARTY-NOTICES.txt');
    for (const { name, version } of bom.components.filter(({ type }) => type === 'library')) {
      expect(notices).toMatch(new RegExp(`^${name} ${version.replace(/\./g, '\\.')}\\n\\n\\S`, 'm'));
    }
    expect(notices).toMatch(/Permission is hereby granted, free of charge/);
  });
  it('names what is in the chunks, in the version that is installed, and every chunk with its hash', () => {
    const names = bom.components.filter(({ type }) => type === 'library').map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'zod',
        'prom-client',
        'ioredis',
        'jose',
        'rate-limiter-flexible',
        '@opentelemetry/sdk-trace',
        '@opentelemetry/exporter-trace-otlp-http',
      ]),
    );
    for (const { name, version } of bom.components.filter(({ type }) => type === 'library')) {
      expect([name, version]).toEqual([
        name,
        (
          JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
            version: string;
          }
        ).version,
      ]);
    }
    const manifest = JSON.parse(asset('manifest.json')) as Record<string, string>;
    expect(
      Object.fromEntries(
        bom.components
          .filter(({ type }) => type === 'file')
          .map(({ name, hashes }) => [name, hashes![0].content]),
      ),
    ).toEqual(manifest);
  });
});
