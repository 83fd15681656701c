/** The documentation as a site: `npm run docs` writes it to docs/.vitepress/dist. */
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { pagesOf, sidebarOf, siteOf, slugOf, targetOf } from './pages.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const pages = pagesOf(root);
const repository = process.env.DOCS_REPOSITORY;
const linking = {
  root,
  pages: new Set(pages),
  ...(repository && { repository: repository.replace(/\/$/, '') }),
};
const others = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter((page) => !linking.pages.has(page));

export default defineConfig({
  title: 'Firedrill',
  description:
    'Write an SLO once, and measure that the right alert reaches the right team in time.',
  // Where the site is served: `/` or a folder such as `/firedrill/`.
  base: process.env.DOCS_BASE ?? '/',
  srcDir: '..',
  srcExclude: [...others, '**/node_modules/**', '**/dist/**'],
  rewrites: Object.fromEntries(pages.map((page) => [page, siteOf(page)])),
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  themeConfig: {
    search: { provider: 'local' },
    sidebar: sidebarOf(root, pages),
    nav: [
      { text: 'Tasks', link: '/tasks/1-rules' },
      { text: 'Command line', link: '/cli/' },
      { text: 'Changes', link: '/CHANGELOG' },
    ],
    outline: [2, 3],
  },
  markdown: {
    anchor: { slugify: slugOf },
    config(md) {
      // An address in a text is mostly a default or an example.
      md.set({ linkify: false });
      // To Vue, two braces are code.
      for (const rule of ['text', 'code_inline'] as const) {
        const render = md.renderer.rules[rule];
        md.renderer.rules[rule] = (...args) =>
          (render?.(...args) ?? '').replaceAll('{{', '&#123;&#123;');
      }
      // Indented code looks like fenced code.
      md.core.ruler.push('fences', ({ tokens }) => {
        for (const token of tokens)
          if (token.type === 'code_block') Object.assign(token, { type: 'fence', info: '' });
      });
      md.core.ruler.push('links of the repository', ({ tokens, env }) => {
        const page = sourceOf(env as { relativePath: string });
        for (const { children } of tokens) {
          let dropped = false;
          for (const token of children ?? []) {
            if (token.type === 'link_open') {
              const target = targetOf(token.attrGet('href') ?? '', page, linking);
              dropped = target === undefined;
              if (target !== undefined) token.attrSet('href', target);
            }
            if (!dropped || !token.type.startsWith('link_')) continue;
            if (token.type === 'link_close') dropped = false;
            // Without a target the words stand alone.
            Object.assign(token, { type: 'text', tag: '', nesting: 0, content: '', attrs: null });
          }
        }
      });
    },
  },
});

const sources = new Map(pages.map((page) => [siteOf(page), page]));

/** The file of a page, which is named by its place in the site, or in the search index by the file itself. */
function sourceOf({ relativePath }: { relativePath: string }): string {
  return sources.get(relativePath) ?? relativePath;
}
