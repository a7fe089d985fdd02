/**
 * The attack: a client's clock is ahead by up to the skew that the route allows. Its proof is used, the gateway is killed and starts again with an empty memory, and a thief who saw the proof sends it once more.
 * Its `iat` is later than the restart, so it looks as if nobody could have used it before. The same in the very second of the restart with a clock that is right.
 */
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { ORIGIN, startBed, type Bed } from '../support/gateway.js';

const HTU = `${ORIGIN}/mcp`;
const client = ec();
const START = Math.floor(Date.now() / 1000) - 1;

let bed: Bed | undefined;
afterEach(() => bed?.stop());

/** A gateway that remembers since that second, and how to ask it with a proof of another. */
const startedAt = async (remembersSince: number) => {
  bed = await startBed({ remembersSince });
  const token = accessToken(bed.as, { cnf: { jkt: thumbprint(client) } });
  return (iat: number, nonce?: string) =>
    bed!.ask({
      method: 'POST',
      path: '/mcp',
      headers: {
        authorization: `DPoP ${token}`,
        dpop: proof(client, 'POST', HTU, token, {
          claims: { iat, ...(nonce === undefined ? {} : { nonce }) },
        }),
      },
    });
};

describe('a proof from before a restart', () => {
  it.each([-100, -1, 0, 1, 30, 59])('is refused where its iat is %i s after it', async (iat) => {
    const ask = await startedAt(START + 1);
    const { status, headers } = await ask(START + iat);
    expect([status, headers['dpop-nonce']]).toEqual([401, expect.stringMatching(/^.{20,}$/)]);
    expect(headers['www-authenticate']).toContain('error="use_dpop_nonce"');
    expect(bed!.seen).toHaveLength(0);
  });
  it('costs an honest client one more request: its next proof carries the nonce, whatever its clock says', async () => {
    const ask = await startedAt(START + 1);
    for (const iat of [-30, 0, 30]) {
      const nonce = (await ask(START + iat)).headers['dpop-nonce'] as string;
      expect((await ask(START + iat, nonce)).status).toBe(200);
    }
  });
  it('has no nonce of this start: one of another, or a made-up one, is worth nothing', async () => {
    const first = await startedAt(START + 1);
    const nonce = (await first(START)).headers['dpop-nonce'] as string;
    await bed!.stop();
    const second = await startedAt(START + 1);
    expect((await second(START, nonce)).status).toBe(401);
    expect((await second(START, 'A'.repeat(22))).status).toBe(401);
  });
  it('passes without a nonce once the skew is over, so a client that knows none waits that long and no longer', async () => {
    const ask = await startedAt(START - 61);
    expect([(await ask(START - 2)).status, (await ask(START - 1)).status]).toEqual([401, 200]);
  });
});
