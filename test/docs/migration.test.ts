/** docs/guides/migration.md: what its steps write. What they do: proxy/test/docs/migration.test.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AuthMode, AuthProfile } from '../../lib';
import { dataOf, manifests, root } from '../support/synth';

const guide = readFileSync(join(root, 'docs', 'guides', 'migration.md'), 'utf8');
const steps = [...guide.matchAll(/```ts\n([^`]*)\n```/g)].map(([, code]) => code);
const STEPS: [string, AuthProfile, object][] = [
  [
    'auth: AuthProfile.dpop({ mode: AuthMode.PERMISSIVE }),',
    AuthProfile.dpop({ mode: AuthMode.PERMISSIVE }),
    { profile: 'dpop', mode: 'permissive' },
  ],
  ['auth: AuthProfile.mixed(),', AuthProfile.mixed(), { profile: 'mixed' }],
  ['auth: AuthProfile.dpop(),', AuthProfile.dpop(), { profile: 'dpop' }],
];

it('the guide has these steps', () => expect(steps).toEqual(STEPS.map(([code]) => code)));
it.each(STEPS)('%s is this of the config', (_, auth, expected) => {
  const { routes } = JSON.parse(dataOf(manifests({ mcp: { auth } }), 'config.json'));
  expect(routes[0].auth).toMatchObject(expected);
  expect(routes[0].auth.mode).toBe((expected as { mode?: string }).mode);
});
