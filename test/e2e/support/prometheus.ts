/** A real Prometheus that scrapes what a test runs, every second. */
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { freePort } from '../../../proxy/test/support/free-port.js';
import { Daemon, programOf } from './daemon.js';

const UNTIL_MS = 20_000;

export interface Prometheus {
  /** The `data` of what its HTTP API answers. @param path beneath /api/v1/ */
  ask<T>(path: string): Promise<T>;
  until(what: string, is: () => Promise<boolean>): Promise<void>;
  stop(): Promise<void>;
}

export interface PrometheusOptions {
  /** For its files. */
  readonly dir: string;
  readonly job: string;
  /** Pod -> the port of its metrics. */
  readonly pods: Readonly<Record<string, number>>;
  /** Of rules, in `dir`. */
  readonly ruleFiles?: readonly string[];
}

export async function startPrometheus({
  dir,
  job,
  pods,
  ruleFiles = [],
}: PrometheusOptions): Promise<Prometheus> {
  const port = await freePort();
  const file = (name: string) => join(dir, name);
  mkdirSync(file('data'));
  const targets = Object.entries(pods).map(([pod, at]) => ({
    targets: [`127.0.0.1:${at}`],
    labels: { pod },
  }));
  writeFileSync(
    file('prometheus.yaml'),
    stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ruleFiles,
      scrape_configs: [{ job_name: job, static_configs: targets }],
    }),
  );
  const prometheus = new Daemon(programOf('prometheus')!, [
    `--config.file=${file('prometheus.yaml')}`,
    `--storage.tsdb.path=${file('data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  return {
    ask: async <T>(path: string) =>
      (JSON.parse(await get(`http://127.0.0.1:${port}/api/v1/${path}`)) as { data: T }).data,
    async until(what, is) {
      const end = performance.now() + UNTIL_MS;
      while (!(await is().catch(() => false))) {
        if (performance.now() > end)
          throw new Error(`not within ${UNTIL_MS} ms: ${what}; it said: ${prometheus.said.slice(-2000)}`);
        await sleep(100);
      }
    },
    stop: () => prometheus.stop(),
  };
}

const get = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    http
      .get(url, (message) => {
        let text = '';
        message
          .on('data', (chunk: Buffer) => {
            text += chunk.toString();
          })
          .once('end', () => resolve(text))
          .once('error', reject);
      })
      .once('error', reject);
  });
