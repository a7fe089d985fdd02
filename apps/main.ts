import { App } from 'cdk8s';
import { demo } from './demo';
import { quickstart } from './quickstart';
import { reference } from './reference';

const apps = { quickstart, reference, demo };
type Name = keyof typeof apps;

/** Those that are named on the command line, else all. */
const named = process.argv.slice(2) as Name[];

const app = new App();
for (const name of named.length > 0 ? named : (Object.keys(apps) as Name[])) apps[name](app);
app.synth();
