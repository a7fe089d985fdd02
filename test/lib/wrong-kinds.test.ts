/** TypeScript keeps wrong kinds of values out; from JavaScript they come, and each is answered in words. */
import { App, Chart, Duration, Size, Testing } from 'cdk8s';
import * as lib from '../../lib';
import { Callable, Model, Param, publicCallables } from '../support/public-api';
import { apiServer, backendPeer, jwks, newChart, newGateway } from '../support/synth';

const gateway = newGateway(newChart());
const route = new lib.McpRoute(gateway, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });

/** A good value of each class that something takes. */
const INSTANCES: Record<string, unknown> = {
  Admission: lib.Admission.deny(),
  AgentGateway: gateway,
  ApiServerAccess: apiServer,
  AuditPolicy: new lib.AuditPolicy(newChart(), 'Audit', { gateways: [gateway] }),
  AuthProfile: lib.AuthProfile.dpop(),
  CaBundle: lib.CaBundle.fromSecret('ca'),
  DataPlane: lib.DataPlane.direct(),
  Duration: Duration.seconds(30),
  ExtraVolume: lib.ExtraVolume.fromConfigMap('files'),
  GatewayRoute: route,
  Image: lib.Image.fromDigest(`docker.io/library/node@sha256:${'a'.repeat(64)}`),
  JwksSource: jwks(),
  Peer: backendPeer,
  RateLimit: lib.RateLimit.tokenBucket({ maxTokens: 1, tokensPerFill: 1 }),
  RedisTopology: lib.RedisTopology.single(),
  ReplayStore: lib.ReplayStore.memory(),
  SecretSource: lib.SecretSource.existing('redis', 'password'),
  SecretStoreRef: lib.SecretStoreRef.secretStore('vault'),
  Size: Size.mebibytes(256),
};

const SECRET = 'hunter2';

/** Values of every kind; `fits` says where one is of the right kind. */
const VALUES: readonly { readonly value: unknown; readonly fits: readonly Model['kind'][] }[] = [
  { value: undefined, fits: [] },
  { value: null, fits: [] },
  { value: SECRET, fits: ['text'] },
  { value: 7, fits: ['number'] },
  { value: NaN, fits: [] },
  { value: true, fits: ['flag'] },
  { value: {}, fits: ['record', 'struct'] },
  { value: [], fits: ['list'] },
  { value: () => 1, fits: [] },
  { value: 10n, fits: [] },
  { value: Symbol('s'), fits: [] },
];

function sample(model: Model): unknown {
  switch (model.kind) {
    case 'text':
      return 'sample';
    case 'number':
      return 7;
    case 'flag':
      return true;
    case 'list':
      return [sample(model.of)];
    case 'record':
      return { a: sample(model.of) };
    case 'enum':
      return Object.values((lib as unknown as Record<string, object>)[model.name])[0];
    case 'class':
      return INSTANCES[model.name];
    case 'struct':
      return Object.fromEntries(model.props.map((prop) => [prop.name, sample(prop.model)]));
  }
}

/** An argument with one wrong value in it, and where that is. */
interface Wrong {
  readonly path: string;
  readonly model: Model;
  readonly value: unknown;
  readonly argument: unknown;
}

const needs = (model: Model) => model.kind === 'struct' && model.props.some(({ isOptional }) => !isOptional);

function wrongs({ name, model, isOptional }: Omit<Param, 'isRest'>): Wrong[] {
  const here = VALUES.filter(({ value, fits }) => {
    if (value === undefined) return !isOptional;
    return !fits.includes(model.kind) || needs(model);
  }).map(({ value }): Wrong => ({ path: name, model, value, argument: value }));
  return [...here, ...wrongsWithin(name, model)];
}

function wrongsWithin(name: string, model: Model): Wrong[] {
  if (model.kind === 'list') {
    const each = wrongs({ name: `${name}[0]`, model: model.of, isOptional: false });
    return each.map((wrong) => ({ ...wrong, argument: [wrong.argument] }));
  }
  if (model.kind === 'record') {
    const each = wrongs({ name: `${name}.a`, model: model.of, isOptional: false });
    return each.map((wrong) => ({ ...wrong, argument: { a: wrong.argument } }));
  }
  if (model.kind !== 'struct') return [];
  const good = sample(model) as object;
  return model.props.flatMap((prop) =>
    wrongs(prop).map((wrong) => ({
      ...wrong,
      path: `${name}.${wrong.path}`,
      argument: { ...good, [prop.name]: wrong.argument },
    })),
  );
}

function call({ className, method, isStatic }: Callable, args: unknown[]): unknown {
  const type = (lib as unknown as Record<string, any>)[className];
  if (method === undefined)
    return new type(new Chart(Testing.app(), 'chart', { namespace: 'aiops' }), 'Id', ...args);
  return isStatic ? type[method](...args) : (INSTANCES[className] as any)[method](...args);
}

function errorOf(run: () => unknown): Error | undefined {
  try {
    run();
    return undefined;
  } catch (cause) {
    return cause as Error;
  }
}

/** The last name of a path, as a pattern: a factory calls the start of it otherwise than its parameter. */
const ending = (path: string) =>
  /[^.]+(\.a)?$/.exec(path)![0].replace(/[.[\]]/g, (special) => `\\${special}`);

const callables = publicCallables().filter(({ params }) => params.length > 0);
const cases = callables.flatMap((callable) =>
  callable.params.flatMap((param, at) => {
    const name = `${callable.className}.${callable.method ?? 'new'}`;
    const good = callable.params.map((each) => sample(each.model));
    const each = wrongs(param).map((wrong) => ({ callable, at, good, isRest: param.isRest, ...wrong }));
    // One test for each path, over all wrong values of it.
    return [...new Set(each.map(({ path }) => path))].map(
      (path) => [`${name}(${path})`, each.filter((wrong) => wrong.path === path)] as const,
    );
  }),
);

/** A constructor names the construct, too. */
const wordingOf = ({ method }: Callable) =>
  method === undefined ? /^\[chart\/Id\] [^\s:]+: must .+, got .+/ : /^[^\s:]+: must .+, got .+/;

describe('a value of a wrong kind', () => {
  it('is tried at every public prop of every construct and factory', () => {
    const names = callables.map(({ className, method = 'new' }) => `${className}.${method}`);
    expect(names).toEqual(
      expect.arrayContaining(['AgentGateway.new', 'McpRoute.new', 'Peer.pods', 'AgentGateway.allowFrom']),
    );
    expect(names.length).toBeGreaterThan(40);
    expect(cases.length).toBeGreaterThan(250);
  });

  it.each(cases)('is refused in words at %s', (_, wrong) => {
    for (const { callable, at, good, isRest, path, model, value, argument } of wrong) {
      // A rest parameter is an array only inside.
      if (isRest && !Array.isArray(argument)) continue;
      const rest = isRest ? (argument as unknown[]) : [argument];
      if (isRest && rest.length === 0) continue;
      const error = errorOf(() => call(callable, [...good.slice(0, at), ...rest, ...good.slice(at + 1)]));
      expect([String(value), error?.name]).toEqual([String(value), 'Error']);
      expect(error!.message).toMatch(wordingOf(callable));
      expect(error!.stack).toContain(error!.message);
      if (path.includes('.'))
        expect(error!.message.split(':')[0]).toMatch(new RegExp(`${ending(path)}(\\.\\w+)?$`));
      if (model.kind === 'class') expect(error!.message).toMatch(/; for example \S+/);
      if (model.kind === 'class' && ['SecretSource', 'JwksSource'].includes(model.name)) {
        expect(error!.message).not.toContain(SECRET);
      }
    }
  });
});

describe('props', () => {
  const chart = () => newChart();
  const untyped = lib as any;

  it.each([
    ['AgentGateway', 'issuer, audience, jwks'],
    ['McpRoute', 'gateway, backend, backendPeer'],
    ['HardenedNamespace', 'name'],
  ])('of %s that are left out are named', (name, needed) => {
    expect(() => new untyped[name](chart(), 'Id')).toThrow(
      `${name}Props: must be an object, as ${name}Props describes it, got "undefined"; it needs ${needed}`,
    );
  });

  it('that are strings say how the value is made', () => {
    const props = { issuer: 'https://idp.example', audience: 'a', jwks: jwks() };
    const message = (more: object) =>
      errorOf(() => new untyped.AgentGateway(chart(), 'Id', { ...props, ...more }))?.message;
    expect(message({ jwks: 'jwks.json' })).toBe(
      '[test/Id] jwks: must be a JwksSource, got "a string"; for example JwksSource.fromFile("jwks.json")',
    );
    expect(message({ memory: '256Mi' })).toBe(
      '[test/Id] memory: must be a Size, got "256Mi"; for example Size.mebibytes(256)',
    );
    expect(message({ auth: 'dpop' })).toBe(
      '[test/Id] auth: must be an AuthProfile, got "dpop"; for example AuthProfile.dpop()',
    );
    expect(message({ image: 'node:24' })).toMatch(
      /^\[test\/Id\] image: must be an Image, got "node:24"; for example Image/,
    );
  });

  it('that are misspelt are refused: a requirement would be missing in silence', () => {
    expect(() => untyped.AuthProfile.dpop({ requiredscopes: ['read'] })).toThrow(
      'auth.requiredscopes: must be left out: DpopOptions has no such prop; did you mean requiredScopes?',
    );
    expect(() => untyped.AuthProfile.dpop({ scope: 'read' })).toThrow(
      /DpopOptions has no such prop; it has issuer, /,
    );
    expect(() => untyped.AuthProfile.dpop({ scope: undefined })).not.toThrow();
  });

  it('may come from another copy of cdk8s', () => {
    const other = { toSeconds: () => 20, toMilliseconds: () => 20_000, toHumanString: () => '20 seconds' };
    const app = new App();
    const made = newGateway(new Chart(app, 'c', { namespace: 'aiops' }), {
      drain: other as unknown as Duration,
    });
    expect(made.serviceName).toBe('agentgateway');
  });
});
