/** Why a client's TLS handshake failed, as it is counted: with OpenSSL's own client and Node's. */
import { spawn } from 'node:child_process';
import net from 'node:net';
import tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFixture, type GatewayFixture } from '../support/gateway.js';

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    http2: true,
    change: (config) => {
      config.limits = { headersTimeoutSeconds: 1 };
    },
  });
});
afterAll(() => fixture.stop());

const failures = async (): Promise<Record<string, number>> => {
  const { text } = await fixture.admin('/metrics');
  const samples = text.matchAll(/^agentgateway_tls_handshakes_failed_total\{cause="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...samples].map(([, cause, count]) => [cause, Number(count)]));
};
const connect = (): net.Socket => net.connect(fixture.gateway.port, '127.0.0.1').on('error', () => {});
const shakeHands = (options: tls.ConnectionOptions): void => {
  const { port } = fixture.gateway;
  tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }).on('error', () => {});
};
/** Verifies before it goes on, as browsers do; Node's client looks when the handshake is over. */
const verifying = (): void => {
  const address = `127.0.0.1:${fixture.gateway.port}`;
  const args = ['s_client', '-connect', address, '-verify_return_error'];
  spawn('openssl', args, { stdio: ['pipe', 'ignore', 'ignore'] }).stdin.end();
};

it.each<[string, () => void]>([
  ['not_tls', () => connect().end('GET / HTTP/1.1\r\n\r\n')],
  // The PROXY protocol, which fronts speak before the handshake that they pass on.
  ['not_tls', () => connect().end('PROXY TCP4 203.0.113.9 192.0.2.1 257 257\r\n')],
  ['not_tls', () => connect().end(Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1'))],
  ['version', () => shakeHands({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' })],
  ['parameters', () => shakeHands({ maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' })],
  ['certificate_refused', verifying],
  [
    'client_gone',
    () =>
      connect().once('connect', function (this: net.Socket) {
        this.destroy();
      }),
  ],
  ['timeout', () => connect()],
])('%s', async (cause, act) => {
  const before = await failures();
  act();
  let after = before;
  for (let i = 0; i < 150 && after[cause] === before[cause]; i++) {
    await sleep(20);
    after = await failures();
  }
  expect(after).toEqual({ ...before, [cause]: (before[cause] ?? 0) + 1 });
});
