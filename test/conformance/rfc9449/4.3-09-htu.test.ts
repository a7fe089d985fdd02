import { htuFits } from '../../../proxy/src/checks/target.js';
import { canonicalPath } from '../../../proxy/src/checks/uri.js';
import { conforms, HTU } from '../support.js';

const fits = (htu: string, path = '/mcp/a~b') => htuFits(htu, ['https://gw.example'], path, false);

conforms('RFC 9449 4.3 item 9', ({ decision }) => {
  it.each([
    HTU,
    `${HTU}?a=b`,
    `${HTU}#f`,
    'HTTPS://GW.example:443/mcp',
    'https://gw.example:/mcp',
    'https://gw.example/./x/../mcp',
    'https://gw.example/%6dcp',
  ])('takes %s', async (htu) => {
    expect(await decision({ htu })).toBe('ok');
  });
  it.each([
    'http://gw.example/mcp',
    'https://gw.example:8443/mcp',
    'https://gw.example./mcp',
    'https://gw.example/mcp/',
    'https://gw.example/MCP',
    'https://gw.example//mcp',
    'https://u@gw.example/mcp',
    'https://gw.example\\mcp',
    '/mcp',
    'mcp',
    'https://gw.example/mcp%2F',
    'https://gw.exаmple/mcp',
    'https://gw.example/mc\tp',
    'ftp://gw.example/mcp',
    'https:gw.example/mcp',
  ])('refuses %j', async (htu) => {
    expect(await decision({ htu })).toBe('dpop_htu_mismatch');
  });
  it('is compared with the configured origin, whatever Host says', async () => {
    expect(
      await decision({
        htu: 'https://evil.example/mcp',
        headers: ['X-Forwarded-Host', 'evil.example', 'Forwarded', 'host=evil.example'],
      }),
    ).toBe('dpop_htu_mismatch');
  });
  it('normalises by RFC 3986 6.2.2 and 6.2.3 and not beyond', () => {
    expect(
      [
        'https://gw.example/mcp/a%7Eb',
        'https://gw.example/mcp/a%7eb',
        'https://gw.example/mcp/./a~b',
        'https://gw.example/x/../mcp/a~b',
      ].map((htu) => fits(htu)),
    ).toEqual([true, true, true, true]);
    expect(
      ['https://gw.example/mcp/a%2fb', 'https://gw.example/mcp%2Fa~b', 'https://gw.example/mcp//a~b'].map(
        (htu) => fits(htu),
      ),
    ).toEqual([false, false, false]);
    expect(fits('https://gw.example/mcp/%c3%a9', canonicalPath('/mcp/%C3%a9'))).toBe(true);
  });
});
conforms(
  'RFC 9449 4.2, strictHtu',
  ({ decision }) => {
    it('refuses a query and a fragment where the route says so', async () => {
      expect([
        await decision({ htu: `${HTU}?a` }),
        await decision({ htu: `${HTU}#a` }),
        await decision(),
      ]).toEqual(['dpop_htu_mismatch', 'dpop_htu_mismatch', 'ok']);
    });
  },
  (config) => {
    Object.assign(config.routes[0]!.auth, { strictHtu: true });
  },
);
