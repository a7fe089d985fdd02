import type { IncomingMessage } from 'node:http';
import { deny, type Denial } from '../pipeline/reason.js';
import type { BackendView } from './backend-context.js';

/** Of what it says of the failure: more than the audit log shows. */
const TEXT_BYTES = 512;

/**
 * Whether an answer is of the further proxy that stands between the gateway and the backend: an error without the mark
 * that it sets on what the backend answered.
 */
export const isIntermediarys = (
  { statusCode, headers }: IncomingMessage,
  view: Pick<BackendView, 'answerMark'> | undefined,
): boolean => view?.answerMark !== undefined && statusCode! >= 400 && headers[view.answerMark] === undefined;

/** Reads what it says, which names what only the pod knows, for the operator. */
export function intermediaryDenial(answer: IncomingMessage, done: (denial: Denial) => void): void {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const finish = () => {
    answer.off('data', take).off('end', finish).off('error', finish).off('close', finish);
    done(denialOf(answer.statusCode!, readable(Buffer.concat(pieces).subarray(0, TEXT_BYTES))));
  };
  const take = (piece: Buffer) => {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= TEXT_BYTES) finish();
  };
  answer.on('data', take).once('end', finish).once('error', finish).once('close', finish);
}

function denialOf(status: number, text: string): Denial {
  const detail = `between gateway and backend, status ${status}: ${text}`;
  if (status === 504) return deny('upstream_timeout', detail);
  if (status === 502 || status === 503) return deny('upstream_unreachable', detail);
  return deny(status < 500 ? 'upstream_not_asked' : 'upstream_failed', detail);
}

/** ASCII on one line: it may repeat what a client or a backend sent. */
const readable = (text: Buffer): string =>
  text
    .toString('latin1')
    .replace(/[^\x21-\x7e]+/g, ' ')
    .trim();
