/** A password that was written into a URL stands in no error: synth's output is a log that others read. */
import { DataPlane, JwksSource, Peer, ReplayStore, SecretSource, SecretStoreRef } from '../../lib';
import { backendPeer, gatewayChart, problems } from '../support/synth';

const PASSWORD = 'hunter2';
const peer = Peer.pods({ app: 'idp' });
const secret = SecretSource.existing('secret', 'value');

const messageOf = (make: () => unknown): string => {
  try {
    return String(make());
  } catch (error) {
    return (error as Error).message;
  }
};

describe('a URL with credentials in a prop', () => {
  const url = `https://user:${PASSWORD}@host.example`;
  const bare = `user:${PASSWORD}@host.example:5000`;
  const direct = { dataPlane: DataPlane.direct() };
  it.each<[string, () => unknown]>([
    ['backend', () => problems(() => gatewayChart({ mcp: { backend: url } }))],
    ['backend', () => problems(() => gatewayChart({ mcp: { backend: bare } }))],
    ['backendEndpoints', () => gatewayChart({ gateway: direct, mcp: { backendEndpoints: [url] } })],
    ['publicOrigins', () => problems(() => gatewayChart({ gateway: { publicOrigins: [url] } }))],
    ['allowedOrigins', () => problems(() => gatewayChart({ mcp: { allowedOrigins: [url] } }))],
    ['jwks', () => problems(() => gatewayChart({ gateway: { jwks: JwksSource.fromUrl(url, { peer }) } }))],
    ['tracing', () => problems(() => gatewayChart({ gateway: { tracing: { url, peer } } }))],
    [
      'tokenExchange',
      () =>
        problems(() =>
          gatewayChart({
            gateway: direct,
            mcp: { tokenExchange: { url, peer, clientId: 'me', clientSecret: secret } },
          }),
        ),
    ],
    [
      'redis.host',
      () =>
        problems(() => gatewayChart({ gateway: { replayStore: ReplayStore.redis({ host: bare, peer }) } })),
    ],
    ['vault', () => SecretStoreRef.vault({ server: url.replace('https', 'http'), path: 'a', role: 'b' })],
    ['fqdn', () => Peer.fqdn(url)],
  ])('is refused, and not said: %s', (where, make) => {
    const message = messageOf(make);
    expect(message).toContain(where);
    expect(message).toContain('***@');
    expect(message).not.toContain(PASSWORD);
  });
  it('is shown otherwise as it stands', () => {
    expect(messageOf(() => gatewayChart({ mcp: { backend: 'host/a', backendPeer } }))).toContain(
      'got "host/a"',
    );
  });
});
