/** A client that shares no code with ours, and is faster: wrk with 20 000 proofs, each of which passes once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, programOf } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { machineSlowness } from '../support/machine-slowness.js';
import { openScene, type Scene } from '../support/scene.js';

const PROOFS = 20_000;
const CONNECTIONS = 64;
const AT_MOST_SECONDS = Math.ceil(10 * machineSlowness());
const wrkPath = programOf('wrk');
needs('wrk', wrkPath === undefined ? ['wrk'] : []);

interface Said {
  readonly statuses: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<'connect' | 'read' | 'write' | 'timeout', number>>;
  readonly seconds: number;
}
const NO_ERRORS = { connect: 0, read: 0, write: 0, timeout: 0 };

(wrkPath === undefined ? describe.skip : describe)('wrk', () => {
  let scene: Scene;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    scene = await openScene({
      limits: { refusalsPerAddress: { maxTokens: 1_000_000, tokensPerSecond: 1_000_000 } },
    });
    gateway = await startGatewayProcess(scene.config, { dir: scene.dir, name: 'gateway' });
  }, 20_000);
  afterAll(async () => {
    await gateway.stop();
    scene.stop();
  });
  const send = async (file: string): Promise<Said> => {
    const args = [
      '-t',
      '1',
      '-c',
      String(CONNECTIONS),
      '-d',
      `${AT_MOST_SECONDS}s`,
      '-s',
      join(import.meta.dirname, 'wrk.lua'),
      `http://127.0.0.1:${gateway.port}`,
      '--',
      file,
    ];
    const wrk = spawn(wrkPath!, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let wrote = '';
    wrk.stdout.on('data', (chunk: Buffer) => {
      const before = wrote.includes('all answered');
      wrote += chunk.toString();
      if (!before && wrote.includes('all answered')) wrk.kill('SIGINT'); // it would sleep until its time is over
    });
    await once(wrk, 'close');
    return JSON.parse(wrote.trimEnd().split('\n').at(-1)!) as Said;
  };

  it(`${PROOFS} proofs over ${CONNECTIONS} connections pass once each; the same again, and none does`, async () => {
    const file = join(scene.dir, 'proofs.tsv');
    writeFileSync(
      file,
      Array.from({ length: PROOFS }, () => {
        const { authorization, dpop } = scene.ask().headers as Record<string, string>;
        return `${authorization}\t${dpop}\n`;
      }).join(''),
    );
    const first = await send(file);
    expect(first).toMatchObject({ statuses: { 200: PROOFS }, errors: NO_ERRORS });
    expect(Object.keys(first.statuses)).toEqual(['200']);
    expect(scene.reached()).toBe(PROOFS);
    const second = await send(file);
    expect(second).toMatchObject({ statuses: { 401: PROOFS }, errors: NO_ERRORS });
    expect(Object.keys(second.statuses)).toEqual(['401']);
    expect(scene.reached()).toBe(PROOFS);
    process.stderr.write(
      `wrk: ${PROOFS} proofs in ${first.seconds.toFixed(1)} s, again in ${second.seconds.toFixed(1)} s\n`,
    );
  }, 90_000);
});
