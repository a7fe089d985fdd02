import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ClientAnswer, ClientMessage } from '../../src/http/exchange.js';
import { createIntake } from '../../src/http/intake.js';

/** What the intake looks at: the address of a connection, and whether its answer can still be given. */
const requestFrom = (address: string) => {
  const message = { socket: { remoteAddress: address } } as unknown as ClientMessage;
  const response = Object.assign(new EventEmitter(), { destroyed: false }) as unknown as ClientAnswer;
  return { message, response };
};

it('begins what comes alone at once', () => {
  const begun: ClientMessage[] = [];
  const intake = createIntake((message) => begun.push(message));
  const { message, response } = requestFrom('192.0.2.1');
  intake(message, response);
  expect(begun).toEqual([message]);
});

it('begins sixteen in a turn, networks in turn, and every one in the end', async () => {
  const begun: string[] = [];
  const intake = createIntake(({ socket }) => begun.push(socket.remoteAddress!));
  const ask = (address: string) => {
    const { message, response } = requestFrom(address);
    intake(message, response);
  };
  for (let n = 0; n < 46; n++) ask('192.0.2.1');
  ask('2001:db8::1');
  ask('2001:db8::2'); // of the same /64
  expect(begun.length).toBe(16);
  await nextTurn();
  expect(begun.length).toBe(32);
  expect(begun.slice(16, 21)).toEqual(['192.0.2.1', '2001:db8::1', '192.0.2.1', '2001:db8::2', '192.0.2.1']);
  await nextTurn();
  expect(begun.length).toBe(48);
  await nextTurn();
  ask('198.51.100.1');
  expect(begun.length).toBe(49);
});
