/** Every ConfigMap of a gateway can be applied with kubectl, and the ones with our code have room for more of it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Peer, ReplayStore, SecretSource } from '../../lib';
import { ANNOTATION_LIMIT, annotationBytes, beyondBudget, ConfigMap } from '../support/config-map-size';
import { all, manifests, root } from '../support/synth';

/** A gateway that mounts every chunk there is. */
const everything = () =>
  all(
    manifests({
      gateway: {
        replayStore: ReplayStore.redis({
          host: 'redis.aiops.svc',
          peer: Peer.pods({ app: 'redis' }),
          password: SecretSource.existing('redis', 'password'),
        }),
        tracing: {
          url: 'http://collector.aiops.svc:4318/v1/traces',
          peer: Peer.pods({ app: 'collector' }),
        },
      },
      mcp: { credential: SecretSource.existing('backend', 'token') },
      secrets: ['db'],
    }),
    'ConfigMap',
  ) as unknown as ConfigMap[];
const filesOf = (maps: readonly ConfigMap[]) => maps.flatMap(({ data }) => Object.keys(data));

describe('the ConfigMaps of a gateway', () => {
  it('leave half of the annotation of kubectl apply free where they carry our code, an eighth elsewhere', () => {
    expect(beyondBudget(everything())).toEqual([]);
  });
  it('carry every chunk of the proxy once', () => {
    const operatorOnly = ['agw.mjs', 'vendor-jose.mjs', 'vendor-yaml.mjs'];
    const chunks = readdirSync(join(root, 'assets')).filter((file) => file.endsWith('.mjs'));
    expect(
      filesOf(everything())
        .filter((file) => file.endsWith('.mjs'))
        .sort(),
    ).toEqual(chunks.filter((file) => !operatorOnly.includes(file)).sort());
  });
});

describe('the budget of a ConfigMap', () => {
  const map = (data: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'sample' },
    data,
  });

  it.each([
    ['<', 6],
    ['>', 6],
    ['&', 6],
    ['\u2028', 6],
    ['"', 2],
    ['\n', 2],
    ['\u0000', 6],
    ['é', 2],
    ['€', 3],
  ])('counts %j as the %d bytes that kubectl writes', (text, bytes) => {
    const size = (a: string) => annotationBytes(map({ 'a.txt': a }));
    expect(size(text) - size('')).toBe(bytes);
  });
  it('names the map that is beyond it, what is left and what to do', () => {
    const code = map({ 'http.mjs': '>'.repeat(30_000), 'stores.mjs': 'x' });
    expect(beyondBudget([code])).toEqual([
      expect.stringMatching(
        new RegExp(
          [
            /^sample: must take at most 131072 bytes of kubectl's annotation, got 180\d\d\d \(8[12]\d\d\d /,
            /left until kubectl apply fails; http\.mjs 30000, stores\.mjs 1\)\. Give one of its files a ConfigMap/,
          ]
            .map((part) => part.source)
            .join(''),
        ),
      ),
    ]);
  });
  it('is larger for a library, which does not grow with our code', () => {
    const text = 'x'.repeat(ANNOTATION_LIMIT / 2);
    expect(beyondBudget([map({ 'vendor-a.mjs': text })])).toEqual([]);
    expect(beyondBudget([map({ 'http.mjs': text })])).toHaveLength(1);
    expect(beyondBudget([map({ 'vendor-a.mjs': text + text })])).toHaveLength(1);
  });
});
