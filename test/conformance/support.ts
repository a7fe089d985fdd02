/** One gateway a file, requests from raw builders, decisions as the audit record has them. */
import type { ConfigInput } from '../../proxy/src/config/index.js';
import { ORIGIN, startFixture, type Answer, type GatewayFixture } from '../../proxy/test/support/gateway.js';
import {
  accessToken,
  ec,
  jwkOf,
  proof,
  selfSignedToken,
  thumbprint,
  type Pair,
  type ProofParts,
} from '../../proxy/test/support/mint.js';
import { reasonOf } from '../../proxy/test/support/reason-of.js';

export { ORIGIN };
export const HTU = `${ORIGIN}/mcp`;
export const client: Pair = ec();
export const stranger: Pair = ec();
export const jkt = thumbprint(client);
export const now = (): number => Math.floor(Date.now() / 1000);

export interface Shape {
  readonly method?: string;
  readonly path?: string;
  readonly htm?: string;
  readonly htu?: string;
  readonly pair?: Pair;
  /** Of the proof. */
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  /** Of the access token. */
  readonly token?: Record<string, unknown>;
  readonly tokenHeader?: Record<string, unknown>;
  readonly scheme?: string;
  /** Replaces the proof's text. */
  readonly proof?: string | ((sound: string) => string);
  /** Replaces the access token's text. */
  readonly accessToken?: string | ((sound: string) => string);
  readonly headers?: readonly string[];
}

export interface Subject {
  readonly fixture: () => GatewayFixture;
  /** `ok`, or why not; a refusal for the proof or the token is a 401, and nothing of it reaches the backend. */
  decision(shape?: Shape): Promise<string>;
  ask(shape?: Shape): Promise<Answer>;
  self(claims?: Record<string, unknown>, header?: Record<string, unknown>, pair?: Pair): Promise<string>;
}

/** Of answers that are not 401. */
const STATUS = new Map([
  ['ok', 200],
  ['scope_insufficient', 403],
  ['credentials_ambiguous', 400],
]);
/** As the shape has it: another text, or what it makes of the sound one. */
const changed = (sound: string, to: string | ((sound: string) => string) | undefined): string =>
  typeof to === 'function' ? to(sound) : (to ?? sound);

/** The requests of one clause. The describe carries the clause: manifest.test.ts looks for it. */
export function conforms(
  clause: string,
  cases: (subject: Subject) => void,
  change?: (config: ConfigInput, more: { backendPort: number; dir: string }) => void,
): void {
  describe(clause, () => {
    let fixture: GatewayFixture;
    beforeAll(async () => {
      fixture = await startFixture(change === undefined ? {} : { change });
    });
    afterAll(() => fixture.stop());
    const ask = (shape: Shape = {}): Promise<Answer> => {
      const { method = 'POST', path = '/mcp', pair = client, scheme = 'DPoP', headers = [] } = shape;
      const sound = accessToken(fixture.as, { cnf: { jkt }, ...shape.token }, shape.tokenHeader);
      const token = changed(sound, shape.accessToken);
      const made = proof(pair, shape.htm ?? method, shape.htu ?? ORIGIN + path, token, {
        header: shape.header,
        claims: shape.claims,
      } as ProofParts);
      const text = changed(made, shape.proof);
      return fixture.ask({
        method,
        path,
        headers: [
          'Host',
          'gw.example',
          'Authorization',
          `${scheme} ${token}`,
          ...(text === '' ? [] : ['DPoP', text]),
          ...headers,
        ],
      });
    };
    const decisionOf = async (asked: Promise<Answer>): Promise<string> => {
      const before = fixture.seen.length;
      const answer = await asked;
      const reason = await reasonOf(fixture, answer);
      const refused = reason !== 'ok';
      expect(answer.status).toBe(STATUS.get(reason) ?? 401);
      expect(fixture.seen.length - before).toBe(refused ? 0 : 1);
      return reason;
    };
    cases({
      fixture: () => fixture,
      ask,
      decision: (shape) => decisionOf(ask(shape)),
      self: (claims, header, pair = fixture.self) => {
        const token = selfSignedToken(pair, 'POST', `${ORIGIN}/self`, claims, header);
        const headers = { authorization: `Bearer ${token}` };
        return decisionOf(fixture.ask({ method: 'POST', path: '/self', headers }));
      },
    });
  });
}

export const publicJwk = (pair: Pair): Record<string, unknown> => jwkOf(pair);
/** Base64url text of JSON text, as it stands. */
export const part = (json: string): string => Buffer.from(json).toString('base64url');
