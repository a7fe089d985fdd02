export interface Target {
  /** Of its corpus, too: `corpus/NAME.jsonl`. */
  readonly name: string;
  /** Words that inputs are made of. */
  readonly words: readonly string[];
  /** Inputs are JSON: mutated as values, too. */
  readonly json: boolean;
  /** Throws where a property does not hold. */
  check(input: Buffer): void | Promise<void>;
}
