/** `agw curl`: one request as a client makes it, and what the gateway says of it. */
import { parseArgs } from 'node:util';
import { CliError, type Command, type Io } from './command.js';
import { CREDENTIAL_OPTIONS, CREDENTIALS_USAGE, credentialHeaders, credentialsOf } from './credentials.js';
import {
  adviceLines,
  nonceAsked,
  refusalOf,
  REQUEST_OPTIONS,
  requestParts,
  send,
  type Answer,
} from './http-client.js';
import { methodOf, requestUrl } from './minting.js';
import { visible } from './visible.js';

export const curl: Command = {
  usage:
    `curl URL [${CREDENTIALS_USAGE}] [--method METHOD] [--data TEXT|@FILE] [--header "NAME: VALUE"]... ` +
    '[--cacert FILE] [--body] [--json]',
  summary: 'sends one request with a fresh proof, follows a nonce challenge, and says why it was refused',
  async run(args, io) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...CREDENTIAL_OPTIONS,
        ...REQUEST_OPTIONS,
        body: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const [text, ...rest] = positionals;
    if (text === undefined || rest.length > 0) throw new CliError('URL', 'must be given, once');
    const url = requestUrl(text, 'URL');
    const parts = requestParts(values);
    const method = methodOf(values.method ?? (parts.body === undefined ? 'GET' : 'POST'), '--method');
    const credentials = await credentialsOf(values);
    const target = { htm: method, htu: `${url.origin}${url.pathname}` };
    const attempt = async (nonce?: string) => {
      const headers = { ...parts.headers, ...(await credentialHeaders(credentials, target, nonce)) };
      return send({ ...parts, url, method, headers }, values.body || values.json);
    };
    const first = await attempt();
    const nonce = credentials.kind === 'dpop' ? nonceAsked(first) : undefined;
    const answer = nonce === undefined ? first : await attempt(nonce);
    const call = { method, url: url.href, followedNonce: nonce !== undefined };
    if (values.json) io.out(JSON.stringify(resultOf(call, answer)));
    else report(call, answer, values.body, io);
    return answer.status < 400 ? 0 : 1;
  },
};

interface Call {
  readonly method: string;
  readonly url: string;
  /** Sent again with the nonce that the first answer had (RFC 9449 9). */
  readonly followedNonce: boolean;
}

const resultOf = (call: Call, answer: Answer) => ({
  ...call,
  status: answer.status,
  ms: answer.ms,
  requestId: answer.headers['x-request-id'],
  ...refusalOf(answer),
  body: answer.body,
});

function report({ method, url, followedNonce }: Call, answer: Answer, showBody: boolean, { out }: Io): void {
  const { status, ms, headers, body } = answer;
  const refusal = refusalOf(answer);
  out(`${method} ${url}`);
  if (followedNonce) out('nonce: asked for, and sent with a second proof');
  const said = [refusal?.error, refusal?.description].filter((word) => word !== undefined).join(': ');
  out(
    `${refusal === undefined ? 'answered' : 'refused'}: ${status}${said === '' ? '' : ` ${visible(said)}`} (${ms} ms)`,
  );
  for (const line of adviceLines(refusal?.reasons ?? [])) out(line);
  if (headers['x-request-id'] !== undefined) out(`request id: ${visible(String(headers['x-request-id']))}`);
  if (showBody) out(body);
}
