/** The documentation's site: built once, with a page for each file that a page leads to, and no dead link. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { packageRoot } from '../../base/paths.js';
import { pagesOf, sidebarOf, siteOf, targetOf } from '../../docs/.vitepress/pages.js';

const pages = pagesOf(packageRoot);
const generator = join(packageRoot, 'docs', 'node_modules', '.bin', 'vitepress');
const site = mkdtempSync(join(tmpdir(), 'firedrill-site-'));
afterAll(() => rmSync(site, { recursive: true, force: true }));

/** Names of the files that links and images of a page of the site lead to, with their anchors. */
const linksIn = (html: string): string[] =>
  [...html.matchAll(/\s(?:href|src)="([^"]+)"/g)].map(([, link = '']) =>
    link.replaceAll('&amp;', '&'),
  );

const isElsewhere = (link: string): boolean => /^[a-z]+:/.test(link);

const fileOf = (path: string): string =>
  join(site, decodeURIComponent(path), path.endsWith('/') ? 'index.html' : '');

// CI installs the generator; elsewhere `npm run docs` does.
test.skipIf(!existsSync(generator) && process.env.CI !== 'true')(
  'the site has every page, a search over them, and no dead link',
  () => {
    execFileSync(generator, ['build', 'docs', '--outDir', site], {
      cwd: packageRoot,
      stdio: 'pipe',
      env: { ...process.env, DOCS_BASE: '/', DOCS_REPOSITORY: 'https://git.example/firedrill/' },
    });
    const built = pages.map((page) => siteOf(page).replace(/\.md$/, '.html'));
    expect(built.filter((page) => !existsSync(join(site, page)))).toEqual([]);
    const made = readdirSync(site, { recursive: true, encoding: 'utf8' });
    expect(made.filter((name) => name.endsWith('.html')).length).toBe(built.length + 1);

    const dead: string[] = [];
    const foreign = new Set<string>();
    for (const page of built) {
      for (const link of linksIn(readFileSync(join(site, page), 'utf8'))) {
        if (isElsewhere(link)) {
          foreign.add(link);
          continue;
        }
        const [path = '', anchor] = link.split('#');
        const file =
          path === ''
            ? join(site, page)
            : fileOf(path.startsWith('/') ? path : join('/', dirname(page), path));
        if (!existsSync(file) || !statSync(file).isFile()) dead.push(`${page}: ${link}`);
        else if (
          anchor &&
          !readFileSync(file, 'utf8').includes(`id="${decodeURIComponent(anchor)}"`)
        )
          dead.push(`${page}: ${link}`);
      }
    }
    expect(dead).toEqual([]);
    expect([...foreign]).toContain('https://git.example/firedrill/examples/slo/every-kind.yaml');

    const index = made.filter((name) => /localSearchIndex.*\.js$/.test(name));
    expect(index.length).toBe(1);
    const searched = readFileSync(join(site, index[0] ?? ''), 'utf8');
    expect(searched).toContain('/mesh/proxy/METRICS.html');
    expect(searched).toContain('Seven days of adoption');
  },
  300_000,
);

test('every page is in the sidebar once', () => {
  const listed = sidebarOf(packageRoot, pages).flatMap(({ items }) =>
    items.map(({ link }) => link),
  );
  expect(new Set(listed).size).toBe(listed.length);
  expect(listed.length).toBe(pages.length);
  expect(pages.length).toBeGreaterThan(100);
  expect(sidebarOf(packageRoot, pages)[0]?.items[0]).toEqual({ text: 'Firedrill', link: '/' });
});

test('a link leads to its page, or to the repository if that is known, or stops the build', () => {
  const linking = { root: packageRoot, pages: new Set(pages) };
  const from = (link: string, repository?: string): string | undefined =>
    targetOf(link, 'docs/index.md', { ...linking, ...(repository && { repository }) });
  expect(from('adoption.md')).toBe('/adoption.md');
  expect(from('../mesh/proxy/METRICS.md#a')).toBe('/mesh/proxy/METRICS.md#a');
  expect(from('../slo/README.md')).toBe('/slo/index.md');
  expect(from('../slo/')).toBe('/slo/index.md');
  expect(from('https://example.com/x.md')).toBe('https://example.com/x.md');
  expect(from('#five')).toBe('#five');
  expect(from('../examples/slo/retail.yaml')).toBeUndefined();
  expect(from('../examples/slo/retail.yaml', 'https://x.example/blob')).toBe(
    'https://x.example/blob/examples/slo/retail.yaml',
  );
  expect(() => from('nowhere.md')).toThrow('docs/index.md: the link nowhere.md leads to no file');
});
