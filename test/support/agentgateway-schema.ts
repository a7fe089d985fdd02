/**
 * What is known of agentgateway's config, as far as this library writes it: its fields at 0.12 and 1.4.1, and the
 * variables of its CEL expressions. It refuses an unknown field; an unknown variable, or a second route of one name, it
 * takes in silence.
 *
 * @see https://agentgateway.dev/docs/standalone/latest/reference/
 */
import Ajv2020 from 'ajv/dist/2020';

type Schema = object;

const TEXT = { type: 'string', minLength: 1 };
const PORT = { type: 'integer', minimum: 1, maximum: 65_535 };
const FLAG = { type: 'boolean' };
const DURATION = { type: 'string', pattern: '^[1-9]\\d*m?s$' };
const listOf = (items: Schema) => ({ type: 'array', minItems: 1, items });
const mapOf = (values: Schema) => ({ type: 'object', minProperties: 1, additionalProperties: values });
/** A name that ends in "?" may be left out. */
const fields = (of: Readonly<Record<string, Schema>>) => ({
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(Object.entries(of).map(([name, value]) => [name.replace('?', ''), value])),
  required: Object.keys(of).filter((name) => !name.endsWith('?')),
});

/** An address with its port; that a server is "off" only 1.4.1 knows. */
const ADDRESS = { type: 'string', pattern: '^(\\[::\\]|0\\.0\\.0\\.0|localhost):\\d+$' };
const ADDRESS_OR_OFF = { anyOf: [ADDRESS, { type: 'string', const: 'off' }] };
const RULES = fields({ rules: listOf(TEXT) });
const METHOD = { enum: ['GET', 'POST', 'DELETE'] };
/** `key`, which is sent as "Authorization: Bearer", or a value with a header of its own, since 1.2. */
const CREDENTIAL = {
  anyOf: [
    fields({ file: TEXT }),
    fields({
      value: fields({ file: TEXT }),
      location: fields({ header: fields({ name: TEXT, prefix: { type: 'string' } }) }),
    }),
  ],
};

const processFields = (address: Schema) =>
  fields({
    adminAddr: address,
    statsAddr: address,
    readinessAddr: ADDRESS,
    'connectionMinTerminationDeadline?': TEXT,
    'connectionTerminationDeadline?': TEXT,
    'enableIpv6?': FLAG,
    workerThreads: { type: 'string', pattern: '^[1-9]\\d*$' },
    backend: fields({ connectTimeout: DURATION, poolIdleTimeout: DURATION }),
    logging: fields({ level: { enum: ['info'] }, format: { enum: ['json', 'text'] } }),
  });
const FRONTEND = {
  http: fields({ maxBufferSize: { type: 'integer', minimum: 0 }, http1IdleTimeout: TEXT }),
  accessLog: fields({ add: mapOf(TEXT), 'remove?': listOf(TEXT) }),
};
const ROUTE = {
  name: TEXT,
  'hostnames?': listOf(TEXT),
  matches: listOf(fields({ path: fields({ pathPrefix: TEXT }), method: METHOD })),
  policies: fields({
    'authorization?': RULES,
    'transformations?': fields({ response: fields({ set: mapOf(TEXT) }) }),
    'urlRewrite?': fields({ 'authority?': fields({ full: TEXT }), 'path?': fields({ prefix: TEXT }) }),
  }),
  backends: listOf(
    fields({
      // Split at the first colon: no IPv6 literal.
      host: { type: 'string', pattern: '^[^:[\\]]+:\\d+$' },
      'policies?': fields({
        'backendAuth?': fields({ key: CREDENTIAL }),
        'requestHeaderModifier?': fields({ set: mapOf(TEXT) }),
        'backendTLS?': fields({ 'root?': TEXT, 'hostname?': TEXT, 'cert?': TEXT, 'key?': TEXT }),
      }),
    }),
  ),
};

const V1_4 = fields({
  config: processFields(ADDRESS_OR_OFF),
  frontendPolicies: fields({
    ...FRONTEND,
    connect: fields({ mode: { enum: ['deny'] } }),
    networkAuthorization: RULES,
    tracing: fields({ host: TEXT, randomSampling: FLAG, clientSampling: FLAG }),
  }),
  gateways: mapOf(fields({ port: PORT, protocol: { enum: ['HTTP'] } })),
  routes: listOf(fields({ ...ROUTE, gateways: TEXT })),
});
const LISTENER = fields({ name: TEXT, protocol: { enum: ['HTTP'] }, routes: listOf(fields(ROUTE)) });
const V0_12 = fields({
  config: processFields(ADDRESS),
  frontendPolicies: fields(FRONTEND),
  binds: listOf(fields({ port: PORT, listeners: listOf(LISTENER) })),
});

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
const VALIDATORS = { v1_4: ajv.compile(V1_4), v0_12: ajv.compile(V0_12) };

/** What the dialect does not take, a line a problem. */
export function problemsIn(dialect: keyof typeof VALIDATORS, config: unknown): string[] {
  const validate = VALIDATORS[dialect];
  validate(config);
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** Variables that it sets where we write expressions. */
const VARIABLES = /^(source\.address|request\.(path|method|headers)|proxy\.upstreamDuration)$/;
const WORDS = ['in', 'true', 'false', 'has', 'string'];

/** Names in an expression that are neither words of CEL nor variables that agentgateway sets. */
export const unknownVariables = (expression: string): string[] =>
  [...expression.replace(/"([^"\\]|\\.)*"/g, '""').matchAll(/[a-z_]\w*(?:\.\w+)*/gi)]
    .map(([name]) => name)
    .filter((name) => !WORDS.includes(name) && !VARIABLES.test(name));
