import { client, conforms, publicJwk, stranger } from '../support.js';

conforms('RFC 9449 4.3 item 6', ({ decision }) => {
  it('refuses a signature of another key', async () =>
    expect(await decision({ pair: stranger, header: { jwk: publicJwk(client) } })).toBe(
      'dpop_signature_bad',
    ));
  it('takes the key from jwk alone: kid, jku, x5u and x5c change nothing', async () => {
    expect(
      await decision({
        header: { kid: 'as-1', jku: 'https://evil.example', x5u: 'https://evil.example', x5c: ['AA'] },
      }),
    ).toBe('ok');
    expect(await decision({ header: { jwk: undefined, kid: 'as-1' } })).toBe('dpop_key_refused');
  });
  it('verifies the bytes that were received', async () => {
    expect(
      await decision({
        proof: (p) =>
          p
            .split('.')
            .map((t, i) =>
              i === 1
                ? Buffer.from(
                    JSON.stringify({
                      ...(JSON.parse(Buffer.from(t, 'base64url').toString()) as object),
                      x: 1,
                    }),
                  ).toString('base64url')
                : t,
            )
            .join('.'),
      }),
    ).toBe('dpop_signature_bad');
  });
  it.each([0, 63, 65, 70])('refuses an ES256 signature of %i octets', async (octets) => {
    expect(['dpop_signature_bad', 'dpop_malformed']).toContain(
      await decision({
        proof: (p) => `${p.slice(0, p.lastIndexOf('.'))}.${Buffer.alloc(octets, 1).toString('base64url')}`,
      }),
    );
  });
  it('refuses r = s = 0', async () =>
    expect(
      await decision({
        proof: (p) => `${p.slice(0, p.lastIndexOf('.'))}.${Buffer.alloc(64).toString('base64url')}`,
      }),
    ).toBe('dpop_signature_bad'));
});
