/** A password that was written into a URL stands in no message: messages go to logs, and to whoever reads those. */
import { parseConfig } from '../../src/config/index.js';
import { show } from '../../src/config/problem.js';

const PASSWORD = 'hunter2';

/** A config whose every URL is this one. */
const withUrl = (url: string) => ({
  version: 1,
  publicOrigins: [url],
  issuers: [
    {
      name: 'as',
      issuer: 'https://as.example',
      jwks: { url },
      introspection: { url, clientId: 'me', clientSecret: { file: '/secret' } },
    },
  ],
  replay: { store: 'redis', url },
  tracing: { url },
  routes: [
    {
      kind: 'mcp',
      name: 'mcp',
      pathPrefix: '/mcp',
      auth: { profile: 'dpop', issuers: ['as'] },
      allowedOrigins: [url],
      backend: { url, endpoints: [url] },
    },
  ],
});

describe('a URL with credentials in a config', () => {
  it.each([
    `https://user:${PASSWORD}@host.example/mcp`,
    `https://user:a/${PASSWORD}@host.example`,
    `https://user:a"\\ @${PASSWORD}@host.example`,
    `redis://:${PASSWORD}@host.example:6379`,
    `user:${PASSWORD}@host.example:5000`,
    `https://${'u'.repeat(50)}:${PASSWORD}${'p'.repeat(50)}@host.example`,
  ])('is refused wherever one may stand, and not said: %s', (url) => {
    const parsed = parseConfig(withUrl(url));
    const problems = parsed.ok ? [] : parsed.problems;
    expect(problems.length).toBeGreaterThanOrEqual(7);
    expect(problems.join('\n')).not.toContain(PASSWORD);
    expect(problems.join('\n')).toContain('***@host.example');
  });
  it('leaves what only looks like one as it is', () => {
    for (const text of ['node:24@sha256:abc', 'https://host.example/a', 'mail@host.example', 'a:b'])
      expect(show(text)).toBe(JSON.stringify(text));
  });
});
