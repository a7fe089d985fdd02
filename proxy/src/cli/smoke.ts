/** `agw smoke`: what a gateway must let pass and what it must refuse, asked of a running one. */
import { parseArgs } from 'node:util';
import { VERSION } from '../observe/build.js';
import { CliError, required, type Command } from './command.js';
import { CREDENTIAL_OPTIONS, CREDENTIALS_USAGE, credentialsOf } from './credentials.js';
import { nonceAsked, refusalOf, REQUEST_OPTIONS, requestParts, send, type Answer } from './http-client.js';
import { methodOf, requestUrl } from './minting.js';
import { dpopChecks, selfSignedChecks, type SmokeCheck } from './smoke-checks.js';
import { visible } from './visible.js';

/** What a client of MCP says first. */
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'agw smoke', version: VERSION },
  },
};
const MCP_HEADERS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

export const smoke: Command = {
  usage:
    `smoke --url URL ${CREDENTIALS_USAGE} [--method METHOD] [--data TEXT|@FILE] [--header "NAME: VALUE"]... ` +
    '[--cacert FILE] [--without CHECK]... [--json]',
  summary:
    'asks a running gateway for each refusal that it owes, and for one answer; 0 only if all are right',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...CREDENTIAL_OPTIONS,
        ...REQUEST_OPTIONS,
        url: { type: 'string' },
        without: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
      },
    });
    const request = requestOf(required(values, 'url'), values);
    const results = await runChecks(await checksOf(values, request), request);
    const passed = results.every(({ ok }) => ok);
    if (values.json) out(JSON.stringify({ url: request.url.href, passed, checks: results }));
    else for (const line of tableOf(results)) out(line);
    return passed ? 0 : 1;
  },
};

type Request = Omit<Parameters<typeof send>[0], 'headers'> & {
  readonly headers: Readonly<Record<string, string>>;
};

/** Without a method and data of the user's: what every server of MCP answers. */
function requestOf(
  text: string,
  values: Parameters<typeof requestParts>[0] & { readonly method?: string | undefined },
): Request {
  const url = requestUrl(text, '--url');
  const parts = requestParts(values);
  if (values.method === undefined && values.data === undefined)
    return {
      ...parts,
      url,
      method: 'POST',
      headers: { ...MCP_HEADERS, ...parts.headers },
      body: Buffer.from(JSON.stringify(INITIALIZE)),
    };
  return { ...parts, url, method: methodOf(values.method ?? 'POST', '--method') };
}

async function checksOf(
  values: Readonly<Record<string, unknown>> & { readonly without: readonly string[] },
  { url, method }: Request,
): Promise<readonly SmokeCheck[]> {
  const credentials = await credentialsOf(values);
  const target = { htm: method, htu: `${url.origin}${url.pathname}` };
  if (credentials.kind !== 'dpop' && credentials.kind !== 'selfSigned')
    throw new CliError('--key', 'is required: a request must pass, else every refusal looks right');
  const checks =
    credentials.kind === 'dpop'
      ? dpopChecks(credentials, target)
      : selfSignedChecks(credentials.parts, target);
  const names = checks.map(({ name }) => name);
  const odd = values.without.find((name) => !names.includes(name));
  if (odd !== undefined)
    throw new CliError('--without', `must be one of ${names.join(', ')}`, JSON.stringify(odd));
  return checks.filter(({ name }) => !values.without.includes(name));
}

interface Result {
  readonly check: string;
  readonly ok: boolean;
  readonly want: string;
  readonly got: string;
  readonly ms: number;
}

/** In their order, each with the newest nonce: a proof without one would be refused for that alone. */
async function runChecks(checks: readonly SmokeCheck[], request: Request): Promise<Result[]> {
  const results: Result[] = [];
  let nonce: string | undefined;
  for (const check of checks) {
    const attempt = async () => {
      const headers = { ...request.headers, ...(await check.headers(nonce)) };
      return send({ ...request, headers }, false);
    };
    let answer = await attempt();
    const asked = check.sameAgain ? undefined : nonceAsked(answer);
    if (asked !== undefined) {
      nonce = asked;
      answer = await attempt();
    }
    results.push(resultOf(check, answer));
  }
  return results;
}

function resultOf({ name, want }: SmokeCheck, answer: Answer): Result {
  const { status, ms } = answer;
  const { reasons = [], error } = refusalOf(answer) ?? {};
  const ok =
    want === 'passes'
      ? status >= 200 && status < 300
      : status === 401 && reasons.some((reason) => want.includes(reason));
  return {
    check: name,
    ok,
    want: want === 'passes' ? '2xx' : `401 ${want.join(' or ')}`,
    got: `${status} ${reasons.join(' or ') || visible(error ?? '')}`.trimEnd(),
    ms,
  };
}

function tableOf(results: readonly Result[]): string[] {
  const rows = [
    ['', 'check', 'want', 'got', 'ms'],
    ...results.map(({ ok, check, want, got, ms }) => [ok ? 'ok' : 'WRONG', check, want, got, String(ms)]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const wrong = results.filter(({ ok }) => !ok).length;
  return [
    ...rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    ),
    wrong === 0 ? `all ${results.length} as they must be` : `${wrong} of ${results.length} WRONG`,
  ];
}
