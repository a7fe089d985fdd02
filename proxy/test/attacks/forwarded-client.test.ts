/**
 * The attack: limits and the audit log go by the address of the client, which a front writes into a field that its
 * clients can write, too. A client that makes up hops, hides behind words that are no address, opens a quote that takes
 * in what the front appends, or uses the field that the front does not, is somebody else: it fills the bucket of a
 * stranger, or is never counted itself. One without a front writes the field by itself.
 */
import { hash } from 'node:crypto';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';

const client = ec();
const CLIENT = '203.0.113.9';
const STRANGER = '198.51.100.1';
let fixture: GatewayFixture;

const signed = () => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return [
    'Host',
    'gw',
    'Authorization',
    `DPoP ${token}`,
    'DPoP',
    proof(client, 'POST', `${ORIGIN}/mcp`, token),
  ];
};
const ask = (...fields: string[]) =>
  fixture.ask({ method: 'POST', path: '/mcp', headers: [...signed(), ...fields] });
const last = async () => (await fixture.audit()).at(-1)!;

describe.each(['x-forwarded', 'forwarded'] as const)('behind a front that writes %s', (forwardedHeader) => {
  const [written, other] =
    forwardedHeader === 'forwarded'
      ? [(address: string) => `for=${address}`, (address: string) => address]
      : [(address: string) => address, (address: string) => `for=${address}`];
  const [field, otherField] =
    forwardedHeader === 'forwarded' ? ['Forwarded', 'X-Forwarded-For'] : ['X-Forwarded-For', 'Forwarded'];
  beforeAll(async () => {
    fixture = await startFixture({
      change: (config) => {
        config.trustedPeers = ['127.0.0.1/32'];
        config.forwardedHeader = forwardedHeader;
      },
    });
  });
  afterAll(() => fixture.stop());
  beforeEach(() => {
    fixture.seen.length = 0;
  });

  it('the client is who the front says, whatever it says itself', async () => {
    expect(
      (await ask(field, `${written(STRANGER)}, ${written(CLIENT)}`, otherField, other(STRANGER))).status,
    ).toBe(200);
    expect((await last())['client.address']).toBe(CLIENT);
    expect(JSON.stringify(fixture.seen.at(-1)!.rawHeaders)).not.toMatch(/203\.0\.113|198\.51\.100/);
  });
  it('one that the front hides is counted as the front', async () => {
    expect((await ask(field, `${written(STRANGER)}, ${written('unknown')}`)).status).toBe(200);
    expect((await last())['client.address']).toBe('127.0.0.1');
  });
  it('what nobody can read is refused before anything is checked, and says so to the operator', async () => {
    for (const bad of ['[fe80::1%25x]:1', '203.0.113.9:99999', '"203.0.113.9']) {
      expect((await ask(field, written(bad))).status).toBe(400);
      expect(await last()).toMatchObject({ reason: 'malformed_request', 'client.address': '127.0.0.1' });
    }
    expect(String((await last()).detail)).toMatch(/forwarded/i);
    expect(fixture.seen).toEqual([]);
  });
  it('neither field can be hidden from the backend by Connection', async () => {
    expect((await ask(field, written(CLIENT), 'Connection', field)).status).toBe(400);
  });
});

/** Certificates come as Envoy writes them. */
const startBehind = (trusted: string) =>
  startFixture({
    change: (config) => {
      config.trustedPeers = [trusted];
      config.routes[0]!.auth = {
        profile: 'mtls',
        issuers: ['as'],
        audiences: [`${ORIGIN}/mcp`],
        certificateFrom: 'xfcc',
      };
    },
  });

describe('without a front', () => {
  beforeAll(async () => {
    fixture = await startBehind('192.0.2.0/24');
  });
  afterAll(() => fixture.stop());
  it("nobody is somebody else, and garbage is nobody's matter", async () => {
    await ask('X-Forwarded-For', `${STRANGER}, <garbage>`);
    expect((await last())['client.address']).toBe('127.0.0.1');
  });
  it('nobody has a certificate by its own word', async () => {
    const x5t = hash('sha256', 'x', 'base64url');
    const token = accessToken(fixture.as, { cnf: { 'x5t#S256': x5t } });
    const { status } = await fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: {
        authorization: `Bearer ${token}`,
        'x-forwarded-client-cert': `Hash=${Buffer.from(x5t, 'base64url').toString('hex')}`,
      },
    });
    expect([status, (await last()).reason]).toEqual([401, 'certificate_missing']);
  });
});

describe('a certificate by the word of Envoy', () => {
  const x5t = hash('sha256', 'x', 'base64url');
  const HEX = Buffer.from(x5t, 'base64url').toString('hex');
  beforeAll(async () => {
    fixture = await startBehind('127.0.0.1/32');
  });
  afterAll(() => fixture.stop());
  const bound = async (...fields: string[]) => {
    const token = accessToken(fixture.as, { cnf: { 'x5t#S256': x5t } });
    const headers = ['Host', 'gw', 'Authorization', `Bearer ${token}`, ...fields];
    const { status } = await fixture.ask({ method: 'POST', path: '/mcp', headers });
    return [status, (await last()).reason];
  };
  it('is the one that the token names, or refused', async () => {
    expect(await bound('X-Forwarded-Client-Cert', `By=a;Hash=${HEX};Subject="CN=a,b"`)).toEqual([200, 'ok']);
    expect(await bound('X-Forwarded-Client-Cert', `Hash=${'0'.repeat(64)}`)).toEqual([
      401,
      'certificate_mismatch',
    ]);
  });
  it("is none where the field could be the client's: two elements, two fields, or the field of RFC 9440", async () => {
    for (const fields of [
      ['X-Forwarded-Client-Cert', `Hash=${HEX},Hash=${HEX}`],
      ['X-Forwarded-Client-Cert', `Hash=${HEX}`, 'X-Forwarded-Client-Cert', `Hash=${'0'.repeat(64)}`],
      ['Client-Cert', `:${Buffer.from('x').toString('base64')}:`],
    ])
      expect(await bound(...fields)).toEqual([401, 'certificate_missing']);
    expect(String((await last()).detail)).toContain('X-Forwarded-Client-Cert');
  });
});

describe('the PROXY protocol', () => {
  beforeAll(async () => {
    fixture = await startFixture({ change: (config) => void (config.trustedPeers = ['127.0.0.1/32']) });
  });
  afterAll(() => fixture.stop());
  const V2 = Buffer.concat([
    Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1'),
    Buffer.from([203, 0, 113, 9, 192, 0, 2, 1, 1, 1, 1, 1]),
  ]).toString('latin1');
  it.each([
    ['1', 'PROXY TCP4 203.0.113.9 192.0.2.1 257 257\r\n'],
    ['2', V2],
  ])(
    'version %s is refused by name, also from a trusted peer, and gives nobody an address',
    async (_, preamble) => {
      const got = await fixture.raw(`${preamble}GET /healthz HTTP/1.1\r\nHost: gw\r\n\r\n`, 200);
      expect(got).toMatch(/^HTTP\/1\.1 400 [^]*"error":"proxy_protocol"/);
      expect(got.match(/^HTTP\//gm)).toHaveLength(1);
      expect(await last()).toMatchObject({ reason: 'proxy_protocol', 'client.address': '127.0.0.1' });
    },
  );
  it('in the middle of a connection is what it is: no HTTP', async () => {
    const got = await fixture.raw(
      'GET /healthz HTTP/1.1\r\nHost: gw\r\n\r\nPROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n',
      200,
    );
    expect(got).toContain('"error":"malformed_request"');
  });
});
