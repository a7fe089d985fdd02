/**
 * The attack: a client's clock is ahead by up to the skew that the route allows. Its proof is used, the gateway is
 * killed and starts again with an empty memory, and a thief who saw the proof sends it once more.
 * Its `iat` is later than the restart, so it looks as if nobody could have used it before. The same in the very
 * second of the restart with a clock that is right.
 */
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { ORIGIN, request, startFixture, type GatewayFixture } from '../support/gateway.js';
import { startGatewayProcess } from '../../../test/e2e/support/gateway-process.js';
import { openScene } from '../../../test/e2e/support/scene.js';

const HTU = `${ORIGIN}/mcp`;
const client = ec();
const START = Math.floor(Date.now() / 1000) - 1;

let fixture: GatewayFixture | undefined;
afterEach(() => fixture?.stop());

/** A gateway that remembers since that second, and how to ask it with a proof of another. */
const startedAt = async (remembersSince: number) => {
  fixture = await startFixture({ remembersSince });
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return (iat: number, nonce?: string) =>
    fixture!.ask({
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
    expect(fixture!.seen).toHaveLength(0);
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
    await fixture!.stop();
    const second = await startedAt(START + 1);
    expect((await second(START, nonce)).status).toBe(401);
    expect((await second(START, 'A'.repeat(22))).status).toBe(401);
  });
  it('is told from a bad proof: the refusal says after how long one without a nonce passes', async () => {
    const ask = await startedAt(START + 1);
    const early = await ask(START);
    expect([early.status, early.headers['retry-after']]).toEqual([401, '61']);
    const bad = await ask(START - 400);
    expect([bad.status, bad.headers['retry-after']]).toEqual([401, undefined]);
    await fixture!.stop();
    const later = await startedAt(START + 1 - 61);
    expect((await later(START)).status).toBe(200);
  });
  it('passes without a nonce once the skew is over: a client that knows none waits that long, no longer', async () => {
    const ask = await startedAt(START - 61);
    expect([(await ask(START - 2)).status, (await ask(START - 1)).status]).toEqual([401, 200]);
  });
});

it.each([
  [0, 1],
  [30, 1],
  [30, 2],
])(
  'the shipped gateway, killed and started again with its defaults, takes no proof twice: iat %i s ahead, %i worker(s)',
  async (ahead, workers) => {
    const scene = await openScene({
      replay: { store: 'memory', epochMarginSeconds: undefined },
      workers,
      drainSeconds: 1,
    });
    const askWith = (nonce?: unknown) => {
      const headers = scene.ask().headers as Record<string, string>;
      const token = headers['authorization']!.slice('DPoP '.length);
      const claims = {
        iat: Math.floor(Date.now() / 1000) + ahead,
        ...(nonce === undefined ? {} : { nonce }),
      };
      const dpop = proof(scene.client, 'POST', HTU, token, { claims });
      return { method: 'POST', path: '/mcp', headers: { ...headers, dpop } };
    };
    const first = await startGatewayProcess(scene.config, { dir: scene.dir, name: 'first' });
    let second: typeof first | undefined;
    try {
      const { headers } = await request(first.port, askWith());
      const used = askWith(headers['dpop-nonce']);
      expect((await request(first.port, used)).status).toBe(200);
      const gone = new Promise((resolve) => first.child.once('close', resolve));
      first.child.kill('SIGKILL');
      await gone;
      second = await startGatewayProcess(scene.config, { dir: scene.dir, name: 'second', ports: first });
      const again = await request(second.port, used);
      expect([again.status, scene.reached()]).toEqual([401, 1]);
      // What the loss costs a client that follows RFC 9449 8: one more request.
      expect((await request(second.port, askWith(again.headers['dpop-nonce']))).status).toBe(200);
    } finally {
      first.child.kill('SIGKILL');
      await second?.stop();
      scene.stop();
    }
  },
  20_000,
);
