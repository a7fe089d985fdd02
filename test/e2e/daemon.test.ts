import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daemon } from './support/daemon.js';

/** More than a pipe holds. */
const SAYS = 2 ** 20;
const PROGRAM = `
  const fs = require('node:fs');
  fs.writeSync(2, 'x'.repeat(${SAYS}));
  fs.writeFileSync(process.argv[1], '');
`;
/** Ten seconds at most. */
const UNTIL_THERE = 'for i in $(seq 100); do [ -e "$1" ] && exit 0; sleep 0.1; done; exit 1';

describe('a program that runs beside a test', () => {
  it('goes on, whatever it says, while the test waits for another program', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-daemon-'));
    const done = join(dir, 'done');
    const daemon = new Daemon(process.execPath, ['-e', PROGRAM, done]);
    try {
      execFileSync('sh', ['-c', UNTIL_THERE, 'sh', done]);
      expect(daemon.said).toHaveLength(SAYS);
    } finally {
      await daemon.stop();
      rmSync(dir, { recursive: true });
    }
  }, 30_000);
});
