/**
 * The attack: the clock of a gateway with a memory store jumps ahead and is set right again, as NTP does it after a
 * bad source. By the clock that was ahead a used proof was over, so its claim was
 * forgotten; by the clock that is right it is good for some seconds more, and a thief sends it again. What the store
 * forgot by one clock must not pass by another.
 */
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';

const HTU = `${ORIGIN}/mcp`;
const MAX_AGE = 60;
const client = ec();
let ahead = 0;
const clock = () => Date.now() / 1000 + ahead;
let fixture: GatewayFixture;
beforeEach(async () => {
  ahead = 0;
  fixture = await startFixture({
    clock,
    change: (config) => {
      config.replay = { store: 'memory', maxEntries: 1_000 }; // one table, tidied whole
      config.routes.splice(1); // claims are held for the longest window of any route
      Object.assign(config.routes[0]!.auth, { proofMaxAgeSeconds: MAX_AGE });
    },
  });
});
afterEach(() => fixture.stop());

const askWith = (claims: Record<string, unknown>) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const dpop = proof(client, 'POST', HTU, token, { claims });
  return { method: 'POST', path: '/mcp', headers: { authorization: `DPoP ${token}`, dpop } };
};
/** Reading the number of claims tidies up the tables: what is over is forgotten. */
const forgetWhatIsOver = () => fixture.admin('/metrics');

it.each([
  ['by 20 seconds', 20],
  ['by less than begins a new epoch', 4],
])('a clock that was ahead and is set back %s brings no used proof back', async (_, step) => {
  const used = askWith({ iat: Math.floor(clock()) });
  expect((await fixture.ask(used)).status).toBe(200);
  ahead = MAX_AGE + 2;
  await fixture.ask(askWith({ iat: Math.floor(clock()) }));
  await forgetWhatIsOver();
  ahead -= step;
  const again = await fixture.ask(used);
  expect([again.status, fixture.seen.length]).toEqual([401, 2]);
  expect(again.headers['www-authenticate']).toContain('error="use_dpop_nonce"');
  const { reason } = (await fixture.audit()).at(-1)!;
  expect(reason).toBe('dpop_predates_store');
});

it('an honest client passes at once after the step, with the nonce of its refusal', async () => {
  ahead = 20;
  expect((await fixture.ask(askWith({ iat: Math.floor(clock()) }))).status).toBe(200);
  ahead = 0;
  const iat = Math.floor(clock());
  const refused = await fixture.ask(askWith({ iat }));
  expect(refused.status).toBe(401);
  expect((await fixture.ask(askWith({ iat, nonce: refused.headers['dpop-nonce'] }))).status).toBe(200);
});
