// The site of the documentation. `pnpm docs:build` makes its sources from the pages of the repository (scripts/docs).

import fs from 'node:fs';
import path from 'node:path';
import { slugOf } from '../../scripts/docs/markdown.mjs';
import { GROUPS } from '../../scripts/docs/pages.mjs';

const SOURCE = path.join(import.meta.dirname, 'source');
/** Written by typedoc: a page for each entry of a package. */
const API = path.join(SOURCE, 'api');

/** The API of core is one page. */
const PAGE_KB_MAX = 2_000;

const linkOf = (page) => `/${page.replace(/(?:^|(?<=\/))index\.md$/, '').replace(/\.md$/, '')}`;

const sidebar = GROUPS.map(({ title, pages }) => ({
  text: title,
  collapsed: false,
  items: [
    ...pages.map((page) => ({ text: page.title, link: linkOf(page.page) })),
    ...(title === 'Reference' ? [apiItem()] : []),
    ...(title === 'Develop' ? [{ text: 'Decisions', link: '/decisions/' }] : []),
  ],
}));

function apiItem() {
  const names = fs.existsSync(API)
    ? fs.readdirSync(API, { recursive: true, encoding: 'utf8' })
    : [];
  const pages = names.filter((name) => name.endsWith('.md') && name !== 'index.md').sort();
  const items = pages.map((page) => ({
    text: page.replace(/\.md$/, ''),
    link: linkOf(`api/${page}`),
  }));
  return { text: 'API', link: '/api/', collapsed: true, items };
}

/** The only HTML that is used: the anchors of properties, by typedoc. */
function allowAnchors(state, silent) {
  const [anchor] = /^<a id="[\w-]+"><\/a>/.exec(state.src.slice(state.pos)) ?? [];
  if (anchor === undefined) return false;
  if (!silent) state.push('html_inline', '', 0).content = anchor;
  state.pos += anchor.length;
  return true;
}

export default {
  title: 'Sluice',
  description: 'Streaming backup of SQLite to several places at once',
  lang: 'en-US',
  // Without it, browsers ask for /favicon.ico.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  srcDir: '.vitepress/source',
  outDir: '.vitepress/dist',
  cacheDir: '../.cache/vitepress',
  // A dead link fails the build.
  ignoreDeadLinks: false,
  lastUpdated: false,
  themeConfig: {
    nav: GROUPS.map(({ title, pages }) => ({ text: title, link: linkOf(pages[0].page) })),
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    externalLinkIcon: true,
    socialLinks: [{ icon: 'github', link: 'https://github.com/sluice/sluice' }],
  },
  vite: { build: { chunkSizeWarningLimit: PAGE_KB_MAX } },
  markdown: {
    // The hexadecimal examples of format.md.
    languages: [{ name: 'ltx', scopeName: 'text.ltx', patterns: [], repository: {} }],
    // The anchors of GitHub, so that a link works at both places.
    anchor: { slugify: slugOf },
    config: (md) => {
      // The pages are plain Markdown: `<name>` and `{{text}}` are text, not Vue.
      md.set({ html: false });
      md.inline.ruler.before('html_inline', 'anchor', allowAnchors);
      const { text } = md.renderer.rules;
      md.renderer.rules.text = (...args) => text(...args).replaceAll('{{', '&#123;&#123;');
    },
  },
};
