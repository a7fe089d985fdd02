/** Valkey must hold every claim that it may be asked to remember. */
import { GatewaySpec } from '../spec/gateway-spec';
import { heldSeconds, leastMebibytes, MOST_MEBIBYTES, valkeyMebibytes } from '../spec/valkey';
import { Violation } from '../support/text';

export function valkeyViolations(spec: GatewaySpec): Violation[] {
  const valkey = spec.replayStore._valkey;
  if (valkey === undefined) return [];
  const [least, given] = [leastMebibytes(spec), valkeyMebibytes(spec)];
  if (given > MOST_MEBIBYTES) {
    return [
      {
        where: valkey.memory === undefined ? 'replayStore.requestsPerSecond' : 'replayStore.memory',
        want: `must need at most ${MOST_MEBIBYTES} MiB, which is as much as one Valkey is given`,
        got: `${given} MiB`,
        next: 'announce fewer requests, or remember proofs for less time: proofMaxAge of the routes',
      },
    ];
  }
  if (given >= least) return [];
  return [
    {
      where: 'replayStore.memory',
      want:
        `must be at least ${least} MiB, for ${valkey.requestsPerSecond} requests a second that are remembered ` +
        `for ${heldSeconds(spec)} seconds`,
      got: `${given} MiB`,
      next: 'give more, announce fewer requests, or remember proofs for less time: proofMaxAge of the routes',
    },
  ];
}
