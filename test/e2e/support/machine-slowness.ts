/** How much load this machine carries: the suites share its cores with the gateway they load. */
import { generateKeyPairSync, sign, verify } from 'node:crypto';

/** CPU of one P-256 verification, in µs, on a machine that carries the named loads within the named times. */
const NAMED_FOR_MICROS = 60;
const VERIFICATIONS = 1_000;

/** Median of five rounds, in µs of CPU. */
function verificationMicros(): number {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const data = Buffer.alloc(200, 'x');
  const signature = sign('sha256', data, privateKey);
  const rounds = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    for (let i = 0; i < VERIFICATIONS; i++) verify('sha256', data, publicKey, signature);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / VERIFICATIONS;
  });
  return rounds.sort((a, b) => a - b)[2]!;
}

/**
 * How many times slower than that this machine is, 1 at least. A load beyond what two cores carry tests the load, not
 * the gateway, so that rates are divided by it and times multiplied. What was measured is said.
 */
export function machineSlowness(): number {
  const micros = verificationMicros();
  const slowness = Math.max(1, micros / NAMED_FOR_MICROS);
  process.stderr.write(
    `load: rates and times for a machine ${slowness.toFixed(1)} times slower (${Math.round(micros)} µs a ` +
      `P-256 verification)\n`,
  );
  return slowness;
}
