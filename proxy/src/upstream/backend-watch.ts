import type { Reason } from '../pipeline/reason.js';
import type { Outcome } from './upstream.js';

export interface BackendEvents {
  readonly warn: (problem: string) => void;
  readonly recovered?: ((what: string) => void) | undefined;
}

/** Failures in a row, after which a backend is said to be away: one alone is somebody's request. */
const AWAY_AFTER = 5;

/** Says once when a backend is away, and once when it works again. */
export class BackendWatch {
  readonly #events: BackendEvents;
  /** Backend -> failures in a row. */
  readonly #failures = new Map<string, number>();

  constructor(events: BackendEvents) {
    this.#events = events;
  }

  /**
   * @param backend host and port
   * @returns whether it works; `undefined`: what happened says nothing about it, as a client that leaves or a body that
   * is too large
   */
  saw(backend: string, outcome: Outcome): boolean | undefined {
    const worked = workedAfter(outcome);
    if (worked !== undefined) this.#count(backend, worked, outcome);
    return worked;
  }

  #count(backend: string, worked: boolean, outcome: Outcome): void {
    const before = this.#failures.get(backend) ?? 0;
    if (!worked) {
      this.#failures.set(backend, before + 1);
      if (before + 1 === AWAY_AFTER)
        this.#events.warn(`backend ${backend}: ${AWAY_AFTER} requests in a row failed: ${whyOf(outcome)}`);
    } else if (before > 0) {
      this.#failures.delete(backend);
      if (before >= AWAY_AFTER) this.#events.recovered?.(`backend ${backend}`);
    }
  }
}

function whyOf(outcome: Outcome): string {
  if (outcome.kind === 'answered') return outcome.ended ?? `status ${outcome.status}`;
  const { reason, detail } = outcome.denial;
  return detail === undefined ? reason : `${reason}: ${detail}`;
}

/** Answers that say: not this one, now. */
const FAILING = [502, 503, 504];

function workedAfter(outcome: Outcome): boolean | undefined {
  if (outcome.kind === 'answered') {
    if (outcome.ended === 'backend_cut' || FAILING.includes(outcome.status)) return false;
    return outcome.ended === undefined ? true : undefined;
  }
  return BACKEND_FAILURES.includes(outcome.denial.reason) ? false : undefined;
}

const BACKEND_FAILURES: readonly Reason[] = ['upstream_unreachable', 'upstream_timeout', 'upstream_failed'];
