import { hash } from 'node:crypto';
import { readForwardedClientCert } from '../../src/checks/certificate.js';

const der = Buffer.from('a certificate, as far as its bytes matter here: none of them is read');
const HEX = hash('sha256', der, 'hex');
const THUMBPRINT = hash('sha256', der, 'base64url');
const pem = (bytes: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
const CERT = encodeURIComponent(pem(der));

describe('X-Forwarded-Client-Cert', () => {
  it.each([
    ['its hash', `Hash=${HEX}`],
    ['its hash in capitals', `hash=${HEX.toUpperCase()}`],
    ['the certificate', `Cert="${CERT}"`],
    [
      'both, among others',
      `By=spiffe://a/b;Hash=${HEX};Cert="${CERT}";Subject="CN=a,O=\\"b;c\\"";URI=;DNS=x;DNS=y`,
    ],
  ])('names the certificate by %s', (_, field) => {
    expect(readForwardedClientCert(field)).toBe(THUMBPRINT);
  });
  it.each([
    ['nothing', ''],
    ['no certificate', 'By=spiffe://a/b;Subject="CN=a"'],
    ["two elements, of which the first is the client's own", `Hash=${HEX},Hash=${'0'.repeat(64)}`],
    ['two elements, of which one is empty', `Hash=${HEX},`],
    ['two hashes', `Hash=${HEX};Hash=${HEX}`],
    ['a hash in a quoted subject, too', `Subject="Hash=${'0'.repeat(64)};,";Hash=${HEX}`],
    [
      "a quote of the client's own around the element that its front has appended",
      `Hash=${HEX};Subject=",By=spiffe://a/b;Hash=${'0'.repeat(64)};URI=x"`,
    ],
    ['two certificates', `Cert="${CERT}";cert="${CERT}"`],
    ['a hash of another certificate', `Hash=${'0'.repeat(64)};Cert="${CERT}"`],
    ['half a hash', `Hash=${HEX.slice(1)}`],
    ['a quote that is left open', `Subject="a;Hash=${HEX}`],
    ['something behind a quote', `Subject="a"b;Hash=${HEX}`],
    ['two certificates in one', `Cert="${encodeURIComponent(pem(der) + pem(Buffer.from('other')))}"`],
    ['a broken escape', 'Cert="%zz"'],
    ['no PEM', `Cert="${encodeURIComponent(der.toString('base64'))}"`],
    ['RFC 9440', `:${der.toString('base64')}:`],
  ])('names none where it has %s', (_, field) => {
    expect(readForwardedClientCert(field)).toBeUndefined();
  });
});
