import { decodeBase64url } from './base64url.js';
import { parseJsonObject, type JsonObject } from './strict-json.js';

/** Longest proof or token that is looked at; Node's header limit bounds what arrives. */
const MAX_LENGTH = 8192;

/** The three parts of a compact JWS, still encoded (RFC 7515 7.1). */
export interface JwsParts {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
  /** What was signed: `header.payload`, as received. */
  readonly signed: string;
}

/** RFC 7515 7.1, RFC 9449 4.3 item 2: exactly three non-empty parts, nothing around them. */
export function splitJws(text: string): JwsParts | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  if (first <= 0 || second <= first + 1 || second === text.length - 1 || text.indexOf('.', second + 1) !== -1)
    return undefined;
  return {
    header: text.slice(0, first),
    payload: text.slice(first + 1, second),
    signature: text.slice(second + 1),
    signed: text.slice(0, second),
  };
}

/** A part that holds a JSON object: canonical base64url, UTF-8, unique members. */
export function decodeJsonPart(part: string): JsonObject | undefined {
  const bytes = decodeBase64url(part);
  if (bytes === undefined) return undefined;
  const text = bytes.toString('utf8');
  // A replacement character that the bytes do not hold means they were not UTF-8.
  return text.includes('\ufffd') && !bytes.includes('\ufffd') ? undefined : parseJsonObject(text);
}
