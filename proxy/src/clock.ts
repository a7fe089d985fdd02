/** The wall clock in seconds since the epoch: the only place that reads it. */
export type Clock = () => number;

export const wallClock: Clock = () => Date.now() / 1000;
