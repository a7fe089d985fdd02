import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { headerFields } from '../../src/http/header-fields.js';
import { auditRecord, createAuditLog } from '../../src/observe/audit-log.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const heldBytes = () => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
/** A name as a body has it: a string of its own. */
const longName = (n: number) => JSON.parse(`"${'x'.repeat(4 << 20)}${n}"`) as string;

it('holds of a long value only what it shows, also until its line is written', () => {
  const lines: string[] = [];
  const audit = createAuditLog({
    write: (text) => lines.push(text),
    behind: () => false,
    reopen: () => {},
    close: async () => {},
  });
  const received = {
    id: 'a',
    receivedAt: 0,
    address: '192.0.2.1',
    headers: headerFields([]),
  };
  const result = { status: 403, reason: 'mcp_not_allowed', bytes: 0, durationSeconds: 0 };
  const before = heldBytes();
  for (let n = 0; n < 10; n++)
    audit.write(auditRecord({ ...received, facts: { mcpName: longName(n) } }, result));
  expect(heldBytes() - before).toBeLessThan(4 << 20);
  expect(lines).toEqual([]);
  void audit.close();
  expect(lines.join('').split('\n')).toHaveLength(11);
  expect(lines.join('')).toContain(`"mcp.name":"${'x'.repeat(200)}…"`);
});
