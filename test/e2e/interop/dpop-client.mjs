/**
 * A client of the official TypeScript SDK with its own DPoP, as the conformance suite starts it: the server's URL is
 * its argument.
 */
import {
  Client,
  DpopSession,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';

const url = new URL(process.argv.at(-1));
const redirectUrl = 'http://127.0.0.1:9876/callback';
// Off: it sends tokens as Bearer, which the scenarios must notice.
const session = process.env.DPOP === 'off' ? undefined : DpopSession.create();
const kept = {};
let code;

/** Follows the redirect of the authorization endpoint, which the suite answers without asking anybody. */
const provider = {
  redirectUrl,
  clientMetadata: { client_name: 'peer', redirect_uris: [redirectUrl], application_type: 'native' },
  dpop: () => session,
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  async redirectToAuthorization(authorization) {
    const answer = await fetch(authorization, { redirect: 'manual' });
    code = new URL(answer.headers.get('location')).searchParams;
  },
};

async function connect() {
  const client = new Client({ name: 'peer', version: '1' });
  const transport = new StreamableHTTPClientTransport(url, { authProvider: provider });
  try {
    await client.connect(transport);
    return client;
  } catch (cause) {
    if (!(cause instanceof UnauthorizedError) || code === undefined) throw cause;
    await transport.finishAuth(code);
    code = undefined;
    return connect();
  }
}

const client = await connect();
await client.listTools();
await client.callTool({ name: 'test-tool', arguments: {} });
await client.close();
