/**
 * What a gateway's memory is spent on: asked at synth, which chooses a pod's memory and connections, and at the
 * start of the process.
 */

const KIB = 2 ** 10;
const MIB = 2 ** 20;

/**
 * In bytes. Resident memory of one connection on Node 24.18: 6 to 9 KiB idle, 38 KiB with an event stream, 42 KiB of
 * two threads (`npm run siege -- most-streams`), 72 KiB over TLS. Rounded up, for what a heap keeps beyond that.
 */
const COST = {
  process: 64 * MIB,
  /** Each worker after the first. */
  worker: 40 * MIB,
  /** Request bodies that are held. */
  bodies: 32 * MIB,
  /** Each proof that a memory store may remember. */
  proof: 24,
  /**
   * A connection with an event stream and its part of the backend, or with a header block of `HEADER_BYTES`
   * that has not all come.
   */
  connection: 48 * KIB,
  tlsConnection: 80 * KIB,
} as const;

/** The default of limits.maxHeaderBytes, which is in the price of a connection. */
const HEADER_BYTES = 16 * KIB;

/** What decides how much memory a gateway takes. */
export interface MemoryUse {
  readonly workers: number;
  /** Proofs that the memory store may remember; 0 with another store. */
  readonly proofs: number;
  /** Whether clients connect with TLS. */
  readonly tls: boolean;
  readonly maxHeaderBytes: number;
}

const fixedBytes = ({ workers, proofs }: MemoryUse): number =>
  COST.process + COST.worker * (workers - 1) + COST.bodies + COST.proof * proofs;

const connectionBytes = ({ tls, maxHeaderBytes }: MemoryUse): number =>
  (tls ? COST.tlsConnection : COST.connection) + Math.max(0, maxHeaderBytes - HEADER_BYTES);

/** Bytes that a gateway takes with so many connections, each with an event stream. */
export const bytesFor = (connections: number, use: MemoryUse): number =>
  fixedBytes(use) + connections * connectionBytes(use);

/** Connections that fit in so many bytes, each with an event stream; 0 where the rest does not fit. */
export const connectionsIn = (bytes: number, use: MemoryUse): number =>
  Math.max(0, Math.floor((bytes - fixedBytes(use)) / connectionBytes(use)));
