import { conforms, HTU } from '../support.js';

conforms('MCP transports and authorization', ({ fixture, decision, ask }) => {
  it('refuses an Origin that is not listed, before credentials', async () => {
    expect(
      (await fixture().ask({ method: 'POST', path: '/mcp', headers: { origin: 'https://evil.example' } }))
        .status,
    ).toBe(403);
  });
  it('takes a token for the canonical URI of the route, and for no other', async () => {
    expect([
      await decision({ token: { aud: HTU } }),
      await decision({ token: { aud: 'https://gw.example/self' } }),
    ]).toEqual(['ok', 'token_audience_refused']);
  });
  it("never passes the client's token on", async () => {
    expect(await decision()).toBe('ok');
    const names = fixture()
      .seen.at(-1)!
      .rawHeaders.filter((_, i) => i % 2 === 0)
      .map((name) => name.toLowerCase());
    expect(names).not.toContain('authorization');
    expect(names).not.toContain('dpop');
  });
  it('answers every authentication failure with 401, which no client takes for a legacy server', async () => {
    for (const shape of [
      { proof: '' },
      { proof: 'x' },
      { accessToken: 'x' },
      { htm: 'GET' },
      { scheme: 'Bearer' },
    ])
      expect((await ask(shape)).status).toBe(401);
  });
  it('serves 2026-07-28 beside the older revisions', async () => {
    const version = (v: string) => ['MCP-Protocol-Version', v];
    expect([
      (await ask({ method: 'GET', headers: version('2025-06-18') })).status,
      (await ask({ method: 'GET', headers: [...version('2026-07-28'), 'Mcp-Method', 'x'] })).status,
    ]).toEqual([200, 405]);
    expect([
      (await ask({ headers: version('2026-07-28') })).status,
      (await ask({ headers: [...version('2026-07-28'), 'Mcp-Method', 'tools/list'] })).status,
    ]).toEqual([400, 200]);
  });
});
