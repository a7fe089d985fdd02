/** The metrics of a running gateway, written down scrape by scrape, and played to Prometheus as if time went faster. */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../../../proxy/test/support/gateway.js';

/** Of so many seconds each second of the recording becomes one. */
export const STRETCH = 20;
/** Half a minute, played. */
const EVERY_MS = 30_000 / STRETCH;
const COUNTER = /_(total|count|sum|bucket)$/;

export interface RecorderOptions {
  readonly adminPort: number;
  /** Names of metrics that are written down. */
  readonly metrics: ReadonlySet<string>;
}

/** One value a scrape; undefined: the gateway did not answer, or did not say. */
type Values = (number | undefined)[];

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #series = new Map<string, Values>();
  readonly #up: number[] = [];
  readonly #began = Date.now() / 1000;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** So many scrapes later. */
  async scrapes(count: number): Promise<void> {
    for (const until = this.#up.length + count; this.#up.length < until;) await sleep(50);
  }

  /** When the last scrape is played. */
  get minutes(): number {
    return Math.floor(this.#up.length / 2);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** In the notation of promtool, half a minute a value. @param labels of the target */
  played(labels: string): readonly { readonly series: string; readonly values: string }[] {
    const textOf = (values: Values) => values.map((value) => value ?? '_').join(' ');
    return [
      { series: `up{${labels}}`, values: this.#up.join(' ') },
      ...[...this.#series].map(([name, values]) => ({
        series: withLabels(name, labels),
        values: textOf(this.#stretched(name, values)),
      })),
    ];
  }

  async #run(): Promise<void> {
    for (let due = performance.now(); !this.#isOver; due += EVERY_MS) {
      const scraped = await request(this.#options.adminPort, { path: '/metrics' }).catch(() => undefined);
      const text = scraped?.status === 200 ? scraped.text : undefined;
      if (text !== undefined) this.#write(text, this.#up.length);
      this.#up.push(text === undefined ? 0 : 1);
      await sleep(Math.max(0, due + EVERY_MS - performance.now()));
    }
  }

  #write(text: string, at: number): void {
    for (const line of text.split('\n')) {
      const [, name, labels = '', value] = /^(\w+)(\{.*\})? (\S+)$/.exec(line) ?? [];
      if (name === undefined || !this.#options.metrics.has(name)) continue;
      const key = `${name}${labels}`;
      const values = this.#series.get(key) ?? this.#series.set(key, []).get(key)!;
      values[at] = Number(value);
    }
  }

  /** Rates stay what they were, and ages grow as fast as the clock. */
  #stretched(key: string, values: Values): Values {
    const name = key.split('{')[0]!;
    const all = Array.from({ length: this.#up.length }, (_, i) => values[i]);
    const change = (by: (value: number) => number) => all.map((v) => (v === undefined ? v : by(v)));
    if (COUNTER.test(name)) {
      const first = values.findIndex((value) => value !== undefined);
      // A series that begins later began from nothing.
      const from = first === 0 ? values[0]! : 0;
      return change((value) => from + (value - from) * STRETCH);
    }
    if (name.endsWith('_age_seconds')) return change((value) => value * STRETCH);
    if (name === 'process_start_time_seconds') return change((value) => (value - this.#began) * STRETCH);
    // A certificate ends in so many days, however fast the hour goes.
    if (name.endsWith('_expiry_seconds')) return change((value) => value - this.#began);
    return all;
  }
}

function withLabels(series: string, labels: string): string {
  const [, name, own = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(series)!;
  return `${name}{${[labels, own].filter((part) => part !== '').join(', ')}}`;
}
