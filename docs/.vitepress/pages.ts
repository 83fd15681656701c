/**
 * The pages of the site: docs/index.md and every Markdown file of the repository that a page leads to. A link to such a
 * file leads to its page; a link to any other file leads to the repository, if its address is given.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** As on GitHub. test/docs/links.test.ts compares the anchors of all links with these. */
export const slugOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const withoutCode = (text: string): string =>
  text.replaceAll(/```[^]*?```/g, '').replaceAll(/`[^`\n]*`/g, '');

const isOutside = (link: string): boolean => /^[a-z]+:/.test(link);

/** The program writes these files, with links for the folder of the person who runs it. */
const isWritten = (path: string): boolean => path.startsWith('examples/certificate-outage/0');

/** Paths below `root` of all pages, in the order in which they are reached from docs/index.md. */
export function pagesOf(root: string): string[] {
  const pages = new Set<string>();
  const reach = (page: string): void => {
    if (pages.has(page) || isWritten(page) || !existsSync(join(root, page))) return;
    pages.add(page);
    const text = withoutCode(readFileSync(join(root, page), 'utf8'));
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s#]+)/g)) {
      if (link.endsWith('.md') && !isOutside(link)) reach(join(dirname(page), link));
    }
  };
  reach('docs/index.md');
  return [...pages];
}

/** docs/ is the site's root, and a README the first page of its folder. */
export const siteOf = (page: string): string =>
  page.startsWith('docs/')
    ? page.slice('docs/'.length)
    : page.replace(/^README\.md$/, 'readme.md').replace(/README\.md$/, 'index.md');

export interface Linking {
  /** Of the repository's files. */
  root: string;
  pages: ReadonlySet<string>;
  /** Address of the repository's folder on the web, without a slash at its end. */
  repository?: string;
}

/**
 * The target, in the site, of a link in `page`; undefined: the words stand without a link. Throws if the link leads to
 * no file.
 */
export function targetOf(link: string, page: string, linking: Linking): string | undefined {
  const { root, pages, repository } = linking;
  const [path = '', anchor] = link.split('#');
  if (isOutside(link) || path === '') return link;
  const file = join(dirname(page), path).replace(/\/$/, '');
  if (!existsSync(join(root, file))) throw new Error(`${page}: the link ${link} leads to no file`);
  const [readme, end] = [join(file, 'README.md'), anchor === undefined ? '' : `#${anchor}`];
  const target = pages.has(readme) ? readme : file;
  if (pages.has(target)) return `/${siteOf(target)}${end}`;
  return repository === undefined ? undefined : `${repository}/${file}`;
}

interface Item {
  text: string;
  link: string;
}
export interface Group {
  text: string;
  collapsed: boolean;
  items: Item[];
}

/** The names of groups whose folder's first page has no title for a list; in the order of the sidebar. */
const groups: readonly (readonly [folder: string, text: string])[] = [
  ['docs', 'Start'],
  ['docs/tasks', 'Five tasks'],
  ['docs/scenarios', 'Worked scenarios'],
  ['docs/cli', 'Command line'],
  ['slo', 'SLOs'],
  ['alerts', 'Alerts'],
  ['chaos', 'Game days'],
  ['runbooks', 'Runbooks'],
  ['console', 'Console'],
  ['mesh', 'Mesh'],
  ['examples', 'Examples'],
  ['bench', 'Measurements'],
  ['docs/decisions', 'Decisions'],
  ['', 'Project'],
];
const open: ReadonlySet<string> = new Set(['docs', 'docs/tasks', 'docs/scenarios']);

const folderOf = (page: string): string =>
  groups
    .map(([folder]) => folder)
    .filter((folder) => page.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0] ?? '';

/** The sidebar: a group for each folder, its first page on top. */
export function sidebarOf(root: string, pages: readonly string[]): Group[] {
  const itemOf = (page: string): Item => {
    const [, title = page] = /^# (.*)$/m.exec(readFileSync(join(root, page), 'utf8')) ?? [];
    return {
      text: title.replaceAll('`', ''),
      link: `/${siteOf(page).replace(/(index)?\.md$/, '')}`,
    };
  };
  const rank = (page: string): string => siteOf(page).replace(/(^|\/)index\.md$/, '$1');
  return groups.map(([folder, text]) => ({
    text,
    collapsed: !open.has(folder),
    items: pages
      .filter((page) => folderOf(page) === folder)
      .sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
      .map(itemOf),
  }));
}
