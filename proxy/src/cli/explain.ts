import { createSessionKeys, newSessionKey } from '../keys/session-keys.js';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { verifies } from '../checks/signature.js';
import { wallClock, type Clock } from '../clock.js';
import { parseConfigText, type Config } from '../config/index.js';
import { fileProblems } from '../config-files.js';
import { headerFields } from '../http/header-fields.js';
import type { Received } from '../pipeline/evidence.js';
import { Denial, meaningOf } from '../pipeline/reason.js';
import { createResourceRegistry, type Acquire } from '../resource-registry.js';
import { openTrust, type Trust } from '../trust.js';
import type { ReplayStore } from '../replay/replay-store.js';
import { bucketMemories, bucketTables, createPipeline, type RequestPipeline } from '../request-pipeline.js';
import { ADVICE } from './advice.js';
import { CliError, jsonLine, required, type Command } from './command.js';

const KEYS_WAIT_MS = 5_000;

/** Checks a request as the gateway would, without sending it anywhere and without using its proof up. */
export const explain: Command = {
  usage:
    'explain --config FILE --method METHOD --url URL [--token TOKEN] [--proof PROOF] ' +
    '[--header "NAME: VALUE"]... [--body FILE] [--at UNIX_SECONDS] [--json]',
  summary: 'checks a request as the gateway would, without sending it',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
        method: { type: 'string' },
        url: { type: 'string' },
        token: { type: 'string' },
        proof: { type: 'string' },
        header: { type: 'string', multiple: true },
        body: { type: 'string' },
        at: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    const config = loadConfig(required(values, 'config'));
    const { target, host } = splitUrl(config, required(values, 'url'));
    const at = values.at === undefined ? undefined : Number(values.at);
    if (at !== undefined && !Number.isFinite(at))
      throw new CliError('--at', 'must be Unix seconds', values.at);
    const raw = headerLines(host, values);
    const decision = await decideRequest(
      config,
      received(required(values, 'method').toUpperCase(), target, raw, values.body),
      () => at ?? wallClock(),
    );
    if (values.json) out(jsonLine(decision));
    else for (const line of decision.lines) out(line);
    return decision.accepted ? 0 : 1;
  },
};

function loadConfig(file: string): Config {
  const parsed = parseConfigText(readFileSync(file, 'utf8'));
  const problems = parsed.ok ? fileProblems(parsed.config) : parsed.problems;
  if (!parsed.ok || problems.length > 0)
    throw new CliError('--config', `has ${problems.length} problem(s)`, undefined, problems.join('\n'));
  return parsed.config;
}

interface SentHeaders {
  readonly header?: readonly string[] | undefined;
  readonly token?: string | undefined;
  readonly proof?: string | undefined;
}

/** Names and values in turn, as they would stand in the request. */
function headerLines(host: string, { header = [], token, proof }: SentHeaders): string[] {
  const raw = ['Host', host];
  for (const line of header) {
    const [, name = '', value = ''] = /^([^:\s]+):\s*(.*)$/.exec(line) ?? badHeader(line);
    raw.push(name, value);
  }
  if (token !== undefined) raw.push('Authorization', `${proof === undefined ? 'Bearer' : 'DPoP'} ${token}`);
  if (proof !== undefined) raw.push('DPoP', proof);
  return raw;
}

const badHeader = (line: string): never => {
  throw new CliError('--header', 'must be "Name: value"', JSON.stringify(line));
};

/**
 * The client's URL as the request line that reaches the gateway: without the origin, and without what an
 * ingress cuts off.
 */
function splitUrl({ publicPathPrefix = '' }: Config, url: string): { target: string; host: string } {
  const match = /^[a-z]+:\/\/([^/?#]+)([^#]*)$/i.exec(url);
  if (match === null) throw new CliError('--url', 'must be an absolute URL', JSON.stringify(url));
  const [, host = '', rest = ''] = match;
  const target = rest === '' ? '/' : rest;
  if (!target.startsWith(publicPathPrefix))
    throw new CliError(
      '--url',
      `must have its path under publicPathPrefix ${publicPathPrefix}`,
      JSON.stringify(url),
    );
  return { host, target: target.slice(publicPathPrefix.length) };
}

function received(
  method: string,
  target: string,
  raw: readonly string[],
  bodyFile: string | undefined,
): Received {
  return {
    id: randomUUID(),
    receivedAt: 0,
    address: '127.0.0.1',
    network: '127.0.0.1',
    fromTrustedPeer: false,
    forwarded: undefined,
    version: '1.1',
    method,
    target,
    headers: headerFields(raw),
    framing: undefined,
    facts: {},
    reply: {},
    lacksFields: false,
    tlsCertificate: () => undefined,
    readBody: () => {
      const bytes = bodyFile === undefined ? Buffer.alloc(0) : readFileSync(bodyFile);
      return Promise.resolve({ bytes, release: () => {} });
    },
  };
}

interface Decision {
  readonly accepted: boolean;
  /** Absent: it is accepted. */
  readonly refusal?: { readonly status: number; readonly reason: string; readonly detail?: string };
  readonly lines: readonly string[];
}

async function decideRequest(config: Config, request: Received, clock: Clock): Promise<Decision> {
  const warnings: string[] = [];
  const transaction = createResourceRegistry().begin();
  const trust = openTrust(config, transaction.acquire, {
    clock: wallClock,
    warn: (problem) => warnings.push(`warning: ${problem}`),
  });
  try {
    await untilReady(trust);
    const decided = await decideAlone(
      createDryPipeline(config, trust, transaction.acquire, clock),
      request,
      trust,
    );
    return { ...decided, lines: [...warnings, ...decided.lines] };
  } finally {
    transaction.rollback();
  }
}

async function untilReady(trust: Trust): Promise<void> {
  const until = performance.now() + KEYS_WAIT_MS;
  while (trust.waitingFor().length > 0 && performance.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 20));
}

/** The stages of the gateway, over stores and limits that hold nothing: no proof was ever used before. */
function createDryPipeline(config: Config, trust: Trust, acquire: Acquire, clock: Clock): RequestPipeline {
  const allowed = () => ({ allowed: true as const, remaining: 1, fillSeconds: 1 });
  const nothing = { take: allowed, peek: allowed, drain: () => {}, close: () => {} };
  const store: ReplayStore = {
    claim: () => 'first',
    release: () => {},
    peek: () => false,
    nonce: () => undefined,
    cover: () => {},
    ready: () => true,
    state: () => ({ reachable: true, remembersSince: undefined }),
    close: async () => {},
  };
  return createPipeline(config, {
    trust: { ...trust, exchangers: untried(trust.exchangers) },
    acquire,
    buckets: bucketTables(bucketMemories(false)).callers,
    store,
    sessionKeys: createSessionKeys(newSessionKey(), clock),
    addressLimits: { requests: undefined, refusals: nothing },
    clock,
    verify: (_, ...work) => verifies(...work),
  });
}

async function decideAlone(
  { accept: enter, answerLocally: local, matchRoute: route, decide }: RequestPipeline,
  request: Received,
  trust: Trust,
): Promise<Decision> {
  const accepted = await enter(request);
  if (accepted instanceof Denial) return refused(accepted);
  if (local(accepted) !== undefined)
    return {
      accepted: true,
      lines: ['accepted: the gateway answers it itself, and asks for no credentials'],
    };
  const routed = await route(accepted);
  if (routed instanceof Denial) return refused(routed);
  const { name, auth } = routed.route;
  const denied = await decide(routed);
  const decision = denied instanceof Denial ? refused(denied) : passed(request, trust.exchangers.has(name));
  return {
    ...decision,
    lines: [`route: ${name} (profile ${auth.profile}, mode ${auth.mode})`, ...decision.lines],
  };
}

function passed({ facts: { wouldDeny } }: Received, exchanges: boolean): Decision {
  const lines: string[] = [];
  if (wouldDeny !== undefined) lines.push(`permissive: a strict route would refuse it as ${wouldDeny}`);
  if (exchanges)
    lines.push('token exchange: not tried, since the authorization server would give a token away');
  lines.push(
    'accepted: every check passes; whether the proof was used before only the running gateway knows',
  );
  return { accepted: true, lines };
}

function refused({ reason, detail }: Denial): Decision {
  const { status, say } = meaningOf(reason);
  const { clause, next } = ADVICE[reason];
  return {
    accepted: false,
    refusal: { status, reason, ...(detail === undefined ? {} : { detail }) },
    lines: [
      `refused: ${status} ${reason}: ${say}`,
      ...(detail === undefined ? [] : [`detail: ${detail}`]),
      `clause: ${clause}`,
      `next: ${next}`,
    ],
  };
}

const untried = (exchangers: Trust['exchangers']): Trust['exchangers'] =>
  new Map(
    [...exchangers.keys()].map((route) => [
      route,
      { exchange: () => ({ kind: 'token' as const, token: 'untried' }), forget: () => {}, close: () => {} },
    ]),
  );
