import { createSessionKeys, newSessionKey } from '../keys/session-keys.js';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { verifies } from '../checks/signature.js';
import { wallClock } from '../clock.js';
import { parseConfigText, type Config } from '../config/index.js';
import { fileProblems } from '../config-files.js';
import { headerFields } from '../http/header-fields.js';
import type { Received } from '../pipeline/evidence.js';
import { Denial, meaningOf } from '../pipeline/reason.js';
import { createParts } from '../parts.js';
import { openTrust, type Trust } from '../trust.js';
import type { ReplayStore } from '../replay/replay-store.js';
import { bucketMemories, bucketTables, createWay } from '../way.js';
import { ADVICE } from './advice.js';
import { CliError, required, type Command } from './command.js';

const KEYS_WAIT_MS = 5_000;

/** Judges a request as the gateway would, without sending it anywhere and without using its proof up. */
export const explain: Command = {
  usage:
    'explain --config FILE --method METHOD --url URL [--token TOKEN] [--proof PROOF] [--header "NAME: VALUE"]... [--body FILE] [--at UNIX_SECONDS]',
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
      },
    });
    const config = loadConfig(required(values, 'config'));
    const { target, host } = splitUrl(config, required(values, 'url'));
    const at = values.at === undefined ? undefined : Number(values.at);
    if (at !== undefined && !Number.isFinite(at))
      throw new CliError('--at', 'must be Unix seconds', values.at);
    const raw = ['Host', host];
    const given = (values.header ?? []).map((line) => /^([^:\s]+):\s*(.*)$/.exec(line) ?? badHeader(line));
    for (const [, name = '', value = ''] of given) raw.push(name, value);
    const scheme = values.proof === undefined ? 'Bearer' : 'DPoP';
    if (values.token !== undefined) raw.push('Authorization', `${scheme} ${values.token}`);
    if (values.proof !== undefined) raw.push('DPoP', values.proof);

    const verdict = await judge(
      config,
      received(required(values, 'method').toUpperCase(), target, raw, values.body),
      () => at ?? wallClock(),
    );
    for (const line of verdict.lines) out(line);
    return verdict.accepted ? 0 : 1;
  },
};

function loadConfig(file: string): Config {
  const parsed = parseConfigText(readFileSync(file, 'utf8'));
  const problems = parsed.ok ? fileProblems(parsed.config) : parsed.problems;
  if (!parsed.ok || problems.length > 0)
    throw new CliError('--config', `has ${problems.length} problem(s)`, undefined, problems.join('\n'));
  return parsed.config;
}

const badHeader = (line: string): never => {
  throw new CliError('--header', 'must be "Name: value"', JSON.stringify(line));
};

/** The client's URL as the request line that reaches the gateway: without the origin, and without what an ingress cuts off. */
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

interface Verdict {
  readonly accepted: boolean;
  readonly lines: readonly string[];
}

async function judge(config: Config, request: Received, clock: () => number): Promise<Verdict> {
  const warnings: string[] = [];
  const parts = createParts();
  const draft = parts.draft();
  const trust = openTrust(config, draft.take, {
    clock: wallClock,
    warn: (problem) => warnings.push(`warning: ${problem}`),
  });
  try {
    const until = performance.now() + KEYS_WAIT_MS;
    while (trust.waitingFor().length > 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const allowed = () => ({ allowed: true as const, remaining: 1, fillSeconds: 1 });
    const nothing = { take: allowed, peek: allowed, drain: () => {}, close: () => {} };
    // Nothing is claimed: no proof was ever used before.
    const store: ReplayStore = {
      claim: () => 'first',
      release: () => {},
      peek: () => false,
      nonce: () => undefined,
      cover: () => {},
      ready: () => true,
      close: async () => {},
    };
    const { enter, local, route, decide } = createWay(config, {
      trust: { ...trust, exchangers: untried(trust.exchangers) },
      take: draft.take,
      buckets: bucketTables(bucketMemories(false)).callers,
      store,
      sessionKeys: createSessionKeys(newSessionKey(), clock),
      addressLimits: { requests: undefined, refusals: nothing },
      clock,
      verify: (_, ...work) => verifies(...work),
    });
    const accepted = await enter(request);
    if (!(accepted instanceof Denial) && local(accepted) !== undefined)
      return {
        accepted: true,
        lines: [...warnings, 'accepted: the gateway answers it itself, and asks for no credentials'],
      };
    const routed = accepted instanceof Denial ? accepted : await route(accepted);
    const decision = routed instanceof Denial ? routed : await decide(routed);
    const where =
      routed instanceof Denial
        ? []
        : [
            `route: ${routed.route.name} (profile ${routed.route.auth.profile}, mode ${routed.route.auth.mode})`,
          ];
    if (!(decision instanceof Denial)) {
      const wouldDeny =
        request.facts.wouldDeny === undefined
          ? []
          : [`permissive: a strict route would refuse it as ${request.facts.wouldDeny}`];
      const exchange = trust.exchangers.has(decision.route.name)
        ? ['token exchange: not tried, since the authorization server would give a token away']
        : [];
      return {
        accepted: true,
        lines: [
          ...warnings,
          ...where,
          ...wouldDeny,
          ...exchange,
          'accepted: every check passes; whether the proof was used before only the running gateway knows',
        ],
      };
    }
    const { reason, detail } = decision;
    const { status, say } = meaningOf(reason);
    const { clause, next } = ADVICE[reason];
    return {
      accepted: false,
      lines: [
        ...warnings,
        ...where,
        `refused: ${status} ${reason}: ${say}`,
        ...(detail === undefined ? [] : [`detail: ${detail}`]),
        `clause: ${clause}`,
        `next: ${next}`,
      ],
    };
  } finally {
    draft.drop();
  }
}

const untried = (exchangers: Trust['exchangers']): Trust['exchangers'] =>
  new Map(
    [...exchangers.keys()].map((route) => [
      route,
      { exchange: () => ({ kind: 'token' as const, token: 'untried' }), forget: () => {}, close: () => {} },
    ]),
  );
