import { Denial } from './reason.js';

/** One step of the way of a request: what it needs, what it proves. A refusal is a value. */
export type Stage<In, Out> = (input: In) => Out | Denial | Promise<Out | Denial>;

/**
 * Runs `second` on what `first` proved. Stays synchronous while both are: no hop through the microtask queue
 * for nothing.
 */
export function then<A, B, C>(first: Stage<A, B>, second: Stage<B, C>): Stage<A, C> {
  const go = (proved: B | Denial) => (proved instanceof Denial ? proved : second(proved));
  return (input) => {
    const proved = first(input);
    return proved instanceof Promise ? proved.then(go) : go(proved);
  };
}

/** Stages in the order in which they run; the first denial ends it. Each must take what the one before it proved. */
export const inOrder = <A, B, C, D, E, F, G>(
  first: Stage<A, B>,
  second: Stage<B, C>,
  third: Stage<C, D>,
  fourth: Stage<D, E>,
  fifth: Stage<E, F>,
  sixth: Stage<F, G>,
): Stage<A, G> => then(then(then(then(then(first, second), third), fourth), fifth), sixth);

/**
 * The record with what a stage proved added to it: one record a request, which grows; a copy at every stage
 * costs more than the stages.
 */
export const grow = <T extends object, More extends object>(x: T, more: More): Omit<T, keyof More> & More =>
  Object.assign(x, more);
