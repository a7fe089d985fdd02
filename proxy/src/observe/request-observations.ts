import type { Facts } from '../pipeline/evidence.js';
import type { Instruments } from './instruments.js';

/** Observations of one histogram that wait at the same time. */
const MOST_WAITING = 64;

/**
 * Observations of one histogram, handed to prom-client together: one right after the other they cost it less than half
 * of what each costs between two requests (measured).
 */
class Gathered {
  readonly #histogram: { observe(value: number): void };
  readonly #waiting = new Float64Array(MOST_WAITING);
  #count = 0;

  constructor(histogram: { observe(value: number): void }) {
    this.#histogram = histogram;
  }

  add(value: number): void {
    this.#waiting[this.#count] = value;
    this.#count += 1;
    if (this.#count === MOST_WAITING) this.handOver();
  }

  handOver(): void {
    const waiting = this.#waiting.subarray(0, this.#count);
    this.#count = 0;
    for (const value of waiting) this.#histogram.observe(value);
  }
}

/** What every request is measured by: its duration, and the ages of its proof and token where they are known. */
export class RequestObservations {
  readonly #duration: Instruments['duration'];
  /** By status and route, which are bounded: see createMetrics. */
  readonly #durations = new Map<string, Gathered>();
  readonly #proofAges: Gathered;
  readonly #tokenAges: Gathered;

  constructor({ duration, proofAge, tokenAge }: Pick<Instruments, 'duration' | 'proofAge' | 'tokenAge'>) {
    this.#duration = duration;
    this.#proofAges = new Gathered(proofAge);
    this.#tokenAges = new Gathered(tokenAge);
  }

  add(route: string, status: number, durationSeconds: number, facts: Facts): void {
    this.#durationsOf(route, status).add(durationSeconds);
    if (facts.proofAgeSeconds !== undefined) this.#proofAges.add(facts.proofAgeSeconds);
    if (facts.tokenAgeSeconds !== undefined) this.#tokenAges.add(facts.tokenAgeSeconds);
  }

  /** Before a scrape: it counts every request that was answered by then. */
  handOver(): void {
    for (const gathered of [...this.#durations.values(), this.#proofAges, this.#tokenAges])
      gathered.handOver();
  }

  #durationsOf(route: string, status: number): Gathered {
    const key = `${status} ${route}`;
    let gathered = this.#durations.get(key);
    if (gathered === undefined) {
      // A child by its labels: prom-client would sort and join them at every request.
      gathered = new Gathered(this.#duration.labels(route, String(status)));
      this.#durations.set(key, gathered);
    }
    return gathered;
  }
}
