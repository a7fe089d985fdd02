import { parseConfig, weakenings, type ConfigInput } from '../../src/config/index.js';

const of = (change: (config: ConfigInput) => void) => {
  const config: ConfigInput = {
    version: 1,
    publicOrigins: ['https://gw.example'],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: '/jwks' } }],
    replay: { store: 'redis', url: 'rediss://redis' },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'] },
        backend: { url: 'http://mcp' },
      },
    ],
  };
  change(config);
  const parsed = parseConfig(config);
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return weakenings(parsed.config);
};
const auth = (value: object) => (config: ConfigInput) => {
  Object.assign(config.routes[0]!.auth, value);
};

describe('weakenings', () => {
  it('are none by default', () => expect(of(() => {})).toEqual([]));
  it.each<[string, (config: ConfigInput) => void, RegExp]>([
    [
      'legacyTyp',
      (c) => {
        c.issuers[0]!.legacyTyp = true;
      },
      /^issuers\[0\]\.legacyTyp: /,
    ],
    ['optional', auth({ mode: 'optional' }), /^routes\[0\]\.auth\.mode: "mcp" is open/],
    ['permissive', auth({ mode: 'permissive' }), /refuses nothing/],
    ['mixed', auth({ profile: 'mixed' }), /unbound tokens/],
    [
      'enforceHtuHtm',
      auth({ profile: 'selfSigned', audiences: ['a'], enforceHtuHtm: false }),
      /any method and path/,
    ],
    [
      'local',
      (c) => {
        Object.assign(c.replay, { onStoreFailure: 'local' });
      },
      /every replica takes a stolen proof once/,
    ],
    [
      'allow',
      (c) => {
        Object.assign(c.replay, { onStoreFailure: 'allow' });
      },
      /can be used again/,
    ],
  ])('%s is one', (_, change, says) => expect(of(change)).toEqual([expect.stringMatching(says)]));
});

it('legacyTyp beside a preset that says which typ there is, is a fault', () => {
  const both = (preset: 'generic' | 'keycloak') =>
    of((config) => Object.assign(config.issuers[0]!, { preset, legacyTyp: true }));
  expect(both('generic')).toHaveLength(1);
  expect(() => both('keycloak')).toThrow(
    'issuers[0].legacyTyp: must not go with preset "keycloak", which says which typ its tokens have, got ' +
      'true; leave legacyTyp out',
  );
});
