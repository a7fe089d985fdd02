/** docs/ and the pages at the root of the repository as a site: `npm run docs`. */
import { posix } from 'node:path';
import { defineConfig } from 'vitepress';
import { githubSlug, NO_PAGES, REPOSITORY, REWRITES, ROOT, SIDEBAR, siteLink } from '../pages.ts';

/** What a browser may load: nothing from another origin. VitePress writes scripts and styles into its pages. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
].join('; ');

function links(md) {
  md.core.ruler.push('repository-links', ({ tokens, env }) => {
    const file = posix.relative(ROOT, env.realPath ?? env.path);
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type === 'link_open') token.attrSet('href', siteLink(file, token.attrGet('href')));
    }
  });
}

/** A mermaid block becomes the component of theme/mermaid.mjs, which draws it in the browser. */
function diagrams(md) {
  const { fence } = md.renderer.rules;
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info, content } = tokens[index];
    if (info.trim() !== 'mermaid') return fence(tokens, index, ...rest);
    return `<Mermaid source="${encodeURIComponent(content)}" />`;
  };
}

/** Pages lie outside this package: what they import is resolved as if it stood in it. */
const packagesOfPages = {
  name: 'packages-of-pages',
  enforce: 'pre',
  resolveId(id, importer) {
    if (!/^vue(?:\/|$)/.test(id) || importer?.endsWith('.md') !== true) return undefined;
    return this.resolve(id, import.meta.filename, { skipSelf: true });
  },
};

export default defineConfig({
  title: 'cdk8s-agentgateway',
  description: 'Proof of possession (DPoP, RFC 9449) for MCP servers and Kubernetes Secrets',
  srcDir: ROOT,
  srcExclude: NO_PAGES,
  rewrites: REWRITES,
  head: [['meta', { 'http-equiv': 'Content-Security-Policy', content: POLICY }]],
  markdown: {
    anchor: { slugify: githubSlug },
    // GitHub knows no `{attributes}`; in our pages they are TypeScript.
    attrs: { disable: true },
    languageAlias: { haproxy: 'nginx', caddyfile: 'nginx' },
    config(md) {
      links(md);
      diagrams(md);
    },
  },
  themeConfig: {
    nav: [{ text: 'Repository', link: REPOSITORY }],
    sidebar: SIDEBAR,
    outline: [2, 3],
    search: { provider: 'local' },
  },
  // The drawings of mermaid that no page has are chunks that no browser loads.
  vite: { plugins: [packagesOfPages], build: { chunkSizeWarningLimit: 1000 } },
});
