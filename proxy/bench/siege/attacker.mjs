// The attacker of a siege, as a process of its own: loads one attack, prepares it, starts it when told and
// stops it when told.
import { createTools } from './tools.mjs';

const [name] = process.argv.slice(2);
const { default: attack } = await import(`./attacks/${name}.mjs`);
let tools;
let stop;
const orders = {
  async prepare(target) {
    tools = createTools(target);
    tools.ammunition = await attack.prepare?.(tools);
  },
  async start() {
    stop = await attack.start(tools);
  },
  async stop() {
    await stop();
    tools.close();
    return tools.tally;
  },
};
process.on('disconnect', () => process.exit(0));
process.on('message', ({ order, target }) => {
  orders[order](target).then(
    (tally) => process.send({ done: order, tally }),
    (cause) => process.send({ done: order, failed: cause.stack }),
  );
});
