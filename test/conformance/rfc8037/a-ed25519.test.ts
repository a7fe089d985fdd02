import { importJwk } from '../../../proxy/src/checks/jwk.js';
import { verifies } from '../../../proxy/src/checks/signature.js';

describe('RFC 8037 A', () => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
  const signed = 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc';
  const signature = 'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';
  it('A.3: has the thumbprint of the example', () =>
    expect(importJwk(jwk)).toMatchObject({
      ok: true,
      thumbprint: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
    }));
  it('A.5: verifies the signature of the example, and not that of other text', () => {
    const imported = importJwk(jwk);
    if (!imported.ok) throw new Error(imported.why);
    expect([
      verifies('EdDSA', imported.key, signed, signature),
      verifies('EdDSA', imported.key, `${signed}A`, signature),
    ]).toEqual([true, false]);
  });
  it('2: takes Ed25519 only, of 32 octets', () => {
    expect([
      importJwk({ ...jwk, crv: 'Ed448' }).ok,
      importJwk({ ...jwk, crv: 'X25519' }).ok,
      importJwk({ ...jwk, x: 'AA' }).ok,
    ]).toEqual([false, false, false]);
  });
});
