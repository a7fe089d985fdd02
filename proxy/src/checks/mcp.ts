import { NAME_PARAMETERS } from '../config/index.js';
import { parseJsonObject, type JsonBounds, type JsonObject } from './strict-json.js';

/** What one JSON-RPC message asks for. */
export interface McpCall {
  /** Absent in responses. */
  readonly method: string | undefined;
  /** `params.name`, `params.uri` of resources/read and subscriptions, or `params.taskId` of tasks. */
  readonly name: string | undefined;
  /** Prompts or resources that it is about without being named by them. */
  readonly refersTo: McpReference | undefined;
  /** It wants no answer. */
  readonly notification: boolean;
  /** `params.protocolVersion` of initialize, which it has instead of a header field. */
  readonly revision: string | undefined;
  /** The revision that `params._meta` names, as each request does since 2026-07-28. */
  readonly metaRevision: string | undefined;
  /** Of a request: what its answer is for. */
  readonly id: string | number | undefined;
}

/** What a message points at, which its caller must be allowed to use. */
export interface McpReference {
  /** The method by which that is used. */
  readonly usedBy: 'prompts/get' | 'resources/read';
  /** Names of prompts, URIs of resources, or templates of URIs (RFC 6570); as many as a body has room for. */
  readonly names: readonly string[];
  readonly isTemplate: boolean;
}

/** Of `params._meta`: the revision that the message is of (MCP 2026-07-28, basic protocol). */
const META_REVISION = 'io.modelcontextprotocol/protocolVersion';
/** The revision from which on every request stands alone: POST only, Mcp-Method and Mcp-Name required. */
export const STATELESS_SINCE = '2026-07-28';
/** What a request without MCP-Protocol-Version is (MCP transports 2025-06-18). */
export const WITHOUT_VERSION = '2025-03-26';

/** Those of the methods with a name for which revision 2026-07-28 requires the header; tasks by their extension. */
const NAME_REQUIRED: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'tasks/get',
  'tasks/update',
  'tasks/cancel',
]);
export const requiresName = (method: string): boolean => NAME_REQUIRED.has(method);

const MAX_BATCH = 100;
/**
 * Of a body with its arguments. A table of a thousand rows and twenty named columns fits; an array of numbers
 * counts as one.
 */
const BOUNDS: JsonBounds = { depth: 128, nodes: 50_000 };

/** As readers compare names that ignore case: Go's encoding/json also takes U+017F for "s" and U+212A for "k". */
export const folded = (name: string): string => name.toUpperCase().toLowerCase();

/** Whether a member would be one of these to a reader that ignores case and takes the last. */
export const looksLike = (object: object, names: readonly string[]): boolean =>
  Object.keys(object).some(
    (key) => !names.includes(key) && names.some((name) => folded(name) === folded(key)),
  );

/**
 * The calls of a body: one message, or a batch as revision 2025-03-26 allowed. `undefined`: not JSON-RPC, or
 * JSON that two readers could read differently.
 */
export function readCalls(body: Buffer): readonly McpCall[] | undefined {
  // An array is checked by the same strict parser, as the one member of an object.
  const outer = parseJsonObject(`{"m":${utf8(body) ?? ''}}`, BOUNDS);
  if (outer === undefined || Object.keys(outer).length !== 1) return undefined;
  const message = outer.m;
  const messages = Array.isArray(message) ? (message as unknown[]) : [message];
  if (messages.length === 0 || messages.length > MAX_BATCH) return undefined;
  const calls: McpCall[] = [];
  for (const one of messages) {
    const call = isObject(one) ? readCall(one) : undefined;
    if (call === undefined) return undefined;
    calls.push(call);
  }
  return calls;
}

const MEMBERS = ['jsonrpc', 'id', 'method', 'params', 'result', 'error'];
const META_MEMBERS = ['_meta'];
const NAME_AND_META_MEMBERS = ['name', 'uri', 'taskId', '_meta'];

/**
 * JSON-RPC 2.0 4 and 5, MCP base protocol: a request or notification has a method and no result; a response has
 * an id and either result or error. What is neither is no message: a backend could make of it what it likes.
 */
function readCall(message: JsonObject): McpCall | undefined {
  const { jsonrpc, id, method, params, result, error } = message;
  if (jsonrpc !== '2.0' || looksLike(message, MEMBERS)) return undefined;
  if (id !== undefined && !isId(id)) return undefined;
  if (method === undefined) return isResponse(message) ? RESPONSE : undefined;
  if (typeof method !== 'string' || result !== undefined || error !== undefined) return undefined;
  if (params !== undefined && !isObject(params)) return undefined;
  return readRequest(method, params, id);
}

const RESPONSE: McpCall = {
  method: undefined,
  name: undefined,
  refersTo: undefined,
  notification: false,
  revision: undefined,
  metaRevision: undefined,
  id: undefined,
};

const isId = (id: unknown): id is string | number => typeof id === 'string' || typeof id === 'number';

/** Whether a message without a method is a response: what its id is has been checked. */
const isResponse = ({ id, params, result, error }: JsonObject): boolean =>
  id !== undefined && params === undefined && (result === undefined) !== (error === undefined);

function readRequest(
  method: string,
  params: JsonObject = {},
  id: string | number | undefined,
): McpCall | undefined {
  const member = NAME_PARAMETERS.get(method);
  if (looksLike(params, member === undefined ? META_MEMBERS : NAME_AND_META_MEMBERS)) return undefined;
  const revisions = readRevisions(method, params);
  const referring = REFERRING.get(method);
  const refersTo = referring?.(params);
  if (revisions === undefined || (referring !== undefined && refersTo === undefined)) return undefined;
  const name = member === undefined ? undefined : params[member];
  if (name !== undefined && typeof name !== 'string') return undefined;
  return { method, name, refersTo, notification: id === undefined, ...revisions, id };
}

/** MCP, completion: values for an argument of a prompt, or for the template of a resource. */
function completed(params: JsonObject): McpReference | undefined {
  const { ref } = params;
  if (looksLike(params, ['ref']) || !isObject(ref) || looksLike(ref, ['name', 'uri'])) return undefined;
  const { name, uri } = ref;
  // By what it has, whatever its type: a server may look at either.
  if ((name === undefined) === (uri === undefined)) return undefined;
  if (name === undefined) return readNames([uri], 'resources/read', true);
  return readNames([name], 'prompts/get', false);
}

/** MCP 2026-07-28, subscriptions: of resources, by their URIs, beside what is told of lists. */
function subscribed(params: JsonObject): McpReference | undefined {
  const { notifications = {} } = params;
  if (looksLike(params, ['notifications']) || !isObject(notifications)) return undefined;
  const { resourceSubscriptions: uris = [] } = notifications;
  if (looksLike(notifications, ['resourceSubscriptions']) || !Array.isArray(uris)) return undefined;
  return readNames(uris, 'resources/read', false);
}

const readNames = (
  names: readonly unknown[],
  usedBy: McpReference['usedBy'],
  isTemplate: boolean,
): McpReference | undefined =>
  names.every((name) => typeof name === 'string') ? { usedBy, names, isTemplate } : undefined;

/** Methods that point at something; `undefined`: at nothing, or a reader that ignores case would read others. */
const REFERRING: ReadonlyMap<string, (params: JsonObject) => McpReference | undefined> = new Map([
  ['completion/complete', completed],
  ['subscriptions/listen', subscribed],
]);

/** What a request says of its revision; `undefined`: a reader that ignores case would read another one. */
function readRevisions(
  method: string,
  params: JsonObject,
): Pick<McpCall, 'revision' | 'metaRevision'> | undefined {
  const begins = method === 'initialize' ? params : {};
  const meta = isObject(params._meta) ? params._meta : {};
  if (looksLike(begins, ['protocolVersion']) || looksLike(meta, [META_REVISION])) return undefined;
  return { revision: textOf(begins.protocolVersion), metaRevision: textOf(meta[META_REVISION]) };
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The value of Mcp-Method or Mcp-Name: `=?base64?…?=` stands for text that a header cannot carry; `undefined`
 * if that is not canonical base64 of UTF-8.
 */
export function decodeMcpHeader(value: string): string | undefined {
  const encoded = /^=\?base64\?(.*)\?=$/.exec(value)?.[1];
  if (encoded === undefined) return value;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return undefined;
  return utf8(bytes);
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined; // two readers would fill in different characters
  }
}
