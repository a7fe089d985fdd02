import DefaultTheme from 'vitepress/theme-without-fonts';
import { Mermaid } from './mermaid.mjs';

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('Mermaid', Mermaid);
  },
};
