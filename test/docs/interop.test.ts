import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SOURCES } from '../support/sources';

const ROOT = join(__dirname, '..', '..');
const PAGE = join(ROOT, 'docs', 'reference', 'interop.md');
const read = (...path: string[]) => readFileSync(join(ROOT, ...path), 'utf8');

interface Row {
  readonly peer: string;
  readonly version: string;
  readonly ran: string;
  readonly result: string;
  readonly test: string;
}
const rows = JSON.parse(read('test', 'e2e', 'support', 'interop.json')) as Record<string, Row>;

const page = () => `# Interoperability

Implementations of others that were run against the gateway, and what came of it. Written from
\`test/e2e/support/interop.json\` by \`test/docs/interop.test.ts\`; the tests of \`npm test\` and
\`npm run test:e2e\` hold each row to what they measure (\`UPDATE_INTEROP=1\` writes it anew).

| peer | version | what was run | result | shown by |
|---|---|---|---|---|
${Object.values(rows)
  .map(
    ({ peer, version, ran, result, test }) =>
      `| ${peer} | ${version} | ${ran} | ${result} | [${test.split('/').pop()}](${SOURCES}${test}) |`,
  )
  .join('\n')}
`;

describe('docs/reference/interop.md', () => {
  it('has the rows that the tests measured', () => {
    if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, page());
    expect(read('docs', 'reference', 'interop.md')).toBe(page());
  });
  it.each(Object.entries(rows))('%s has a result, and a test that measures it', (id, { result, test }) => {
    expect(result).not.toBe('');
    expect(existsSync(join(ROOT, test))).toBe(true);
    // By its whole name, or by a template of which it begins with what stands in front.
    const prefixes = [...read(test).matchAll(/expectInterop\(\s*['`]([^'`$]*)/g)].map(([, name]) => name);
    expect(prefixes.some((prefix) => id === prefix || (prefix.endsWith('-') && id.startsWith(prefix)))).toBe(
      true,
    );
  });
  it('names the versions that are installed', () => {
    const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { version: string }> };
    const versionOf = (name: string) => lock.packages[`node_modules/${name}`].version;
    for (const id of ['conformance-2025-11-25', 'conformance-2026-07-28', 'dpop-client-dpop'])
      expect(rows[id].version).toBe(versionOf('conformance-newest'));
    const installed = (names: readonly string[]) => names.map(versionOf).join(', ');
    expect(rows['conformance-stable'].version).toBe(versionOf('@modelcontextprotocol/conformance'));
    expect(rows['oidc-provider'].version).toBe(installed(['oidc-provider', 'openid-client', 'dpop']));
    expect(rows['oidc-provider-exchange'].version).toBe(versionOf('oidc-provider'));
    expect(rows['typescript-v1'].version).toBe(versionOf('@modelcontextprotocol/sdk'));
    expect(rows['typescript-v2'].version).toBe(versionOf('@modelcontextprotocol/client'));
    const requirements = read('test', 'e2e', 'interop', 'python', 'requirements.txt');
    for (const id of ['python-client', 'python-server'])
      expect(requirements).toContain(`mcp==${rows[id].version}\n`);
  });
});
