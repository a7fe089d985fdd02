import { App } from 'cdk8s';
import { demo } from './demo';
import { quickstart } from './quickstart';
import { reference } from './reference';

const app = new App();
quickstart(app);
reference(app);
demo(app);
app.synth();
