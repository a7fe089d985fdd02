import type { Clock } from '../clock.js';
import type { TokenValidity } from '../pipeline/evidence.js';
import { IntrusiveList, type ListMember } from './intrusive-list.js';

/** Why an answer ended before its backend ended it. */
export type Ending =
  | 'token_expired'
  | 'token_withdrawn'
  | 'config_changed'
  | 'too_long'
  | 'idle'
  | 'client_stalled'
  | 'made_room'
  | 'shutdown'
  | 'client_gone'
  | 'unreadable'
  | 'backend_cut';

/** An answer on its way to a client. */
export interface OpenAnswer extends ListMember {
  /** Absent: nobody was authenticated. */
  readonly validity: TokenValidity | undefined;
  /** By which rules it was let in. */
  readonly policy: string;
  /** An event stream. */
  readonly stream: boolean;
  /** One that never ends by itself, and whose client comes again: of GET, or of subscriptions/listen. */
  readonly listening: boolean;
  /** Seconds since the epoch: however it goes on; Infinity where the config sets no total time. */
  readonly endsAt: number;
  /**
   * How long past its token's `exp` it may go on; where the token was let in past that, since clocks differ,
   * past its request.
   */
  readonly graceSeconds: number;
  /** Seconds since the epoch. */
  readonly receivedAt: number;
  end(why: Ending): void;
}

export interface OpenAnswers {
  add(answer: OpenAnswer): void;
  remove(answer: OpenAnswer): void;
  /** Event streams among them. */
  streams(): number;
  endAll(why: Ending, which?: (answer: OpenAnswer) => boolean): void;
  close(): void;
}

export interface OpenAnswersOptions {
  readonly now: Clock;
  /** Whether answers that were let in by these rules may go on. */
  readonly allowed: (policy: string) => boolean;
}

const SWEEP_MS = 1_000;

/**
 * Answers that are still open, looked at together once a second: none outlives its token, the key it was signed
 * with, or its time.
 */
export function createOpenAnswers({ now, allowed }: OpenAnswersOptions): OpenAnswers {
  const open = new IntrusiveList<OpenAnswer>();
  const endingOf = (
    { validity, policy, endsAt, graceSeconds, receivedAt }: OpenAnswer,
    at: number,
  ): Ending | undefined => {
    if (!allowed(policy)) return 'config_changed'; // also of what was asked before a reload and answered after it
    if (at > endsAt) return 'too_long';
    if (validity === undefined) return undefined;
    if (at > Math.max(validity.expiresAt, receivedAt) + graceSeconds) return 'token_expired';
    return validity.isActive() ? undefined : 'token_withdrawn';
  };
  const timer = setInterval(() => {
    const at = now();
    for (const answer of open.which(() => true)) {
      const why = endingOf(answer, at);
      if (why !== undefined) answer.end(why);
    }
  }, SWEEP_MS);
  timer.unref();
  return {
    add: (answer) => {
      open.add(answer);
    },
    remove: (answer) => {
      open.remove(answer);
    },
    streams: () => open.which(({ stream }) => stream).length,
    endAll(why, which = () => true) {
      for (const answer of open.which(which)) answer.end(why);
    },
    close: () => clearInterval(timer),
  };
}
