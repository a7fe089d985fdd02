import { conforms, HTU } from '../support.js';

conforms('RFC 9728 2, 3, 5.1', ({ fixture, decision }) => {
  it('3.1: is where the challenge says, for anybody, and names the resource that tokens are for', async () => {
    const challenge = (await fixture().ask({ method: 'POST', path: '/mcp' })).headers['www-authenticate']!;
    const url = /resource_metadata="([^"]+)"/.exec(challenge)![1]!;
    expect(url).toBe('https://gw.example/.well-known/oauth-protected-resource/mcp');
    const metadata = JSON.parse((await fixture().ask({ path: new URL(url).pathname })).text) as {
      resource: string;
    };
    expect(metadata).toMatchObject({
      resource: HTU,
      authorization_servers: ['https://as.example'],
      bearer_methods_supported: ['header'],
      dpop_bound_access_tokens_required: true,
    });
    expect(await decision({ token: { aud: metadata.resource } })).toBe('ok');
  });
  it('3: has the root form where one route only has an authorization server', async () => {
    expect((await fixture().ask({ path: '/.well-known/oauth-protected-resource' })).status).toBe(200);
    expect((await fixture().ask({ path: '/.well-known/oauth-protected-resource/self' })).status).toBe(404);
  });
  it('lists no algorithm that is symmetric or none', async () => {
    const { text } = await fixture().ask({ path: '/.well-known/oauth-protected-resource/mcp' });
    expect(
      (
        JSON.parse(text) as { dpop_signing_alg_values_supported: string[] }
      ).dpop_signing_alg_values_supported.filter((alg) => /^(HS|none)/.test(alg)),
    ).toEqual([]);
  });
});
