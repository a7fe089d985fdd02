import { client, conforms, publicJwk } from '../support.js';

conforms('RFC 9449 4.3 item 7', ({ decision }) => {
  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])(
    'refuses a jwk with %s, also an empty one',
    async (member) => {
      for (const value of ['', 'AQAB', null])
        expect(await decision({ header: { jwk: { ...publicJwk(client), [member]: value } } })).toBe(
          'dpop_key_refused',
        );
    },
  );
  it.each([undefined, null, 'text', 7, [], {}])('refuses the jwk %j', async (jwk) =>
    expect(await decision({ header: { jwk } })).toBe('dpop_key_refused'),
  );
});
