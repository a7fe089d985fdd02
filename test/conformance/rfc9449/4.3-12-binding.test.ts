import { accessToken, sha256 } from '../../../proxy/test/support/mint.js';
import { conforms, jkt, stranger } from '../support.js';

conforms('RFC 9449 4.3 item 12', ({ decision, fixture }) => {
  it('12a: refuses the ath of another token', async () => {
    expect(await decision({ claims: { ath: sha256(accessToken(fixture().as, { cnf: { jkt } })) } })).toBe(
      'dpop_ath_mismatch',
    );
  });
  it('12a: refuses the right hash in another spelling', async () => {
    const token = accessToken(fixture().as, { cnf: { jkt } });
    expect(await decision({ accessToken: token, claims: { ath: `${sha256(token)}=` } })).toBe(
      'dpop_ath_mismatch',
    );
  });
  it('12b: refuses a proof of a key that the token is not bound to', async () =>
    expect(await decision({ pair: stranger })).toBe('token_key_mismatch'));
  it('6.1: tolerates other members of cnf that name no binding of ours (RFC 7800 3.1)', async () =>
    expect(await decision({ token: { cnf: { jkt, kid: 'x', jku: 'y' } } })).toBe('ok'));
});
