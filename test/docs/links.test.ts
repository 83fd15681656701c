/** Every link of every page leads to a file of this repository, and every anchor to a heading. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../base/paths.js';

const pages = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
  cwd: packageRoot,
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  // The program writes these pages, with links for the reader's folder.
  .filter((page) => !/^(test\/|examples\/certificate-outage\/0|runbooks\/templates)/.test(page));

const withoutCode = (text: string): string =>
  text.replaceAll(/```[^]*?```/g, '').replaceAll(/`[^`\n]*`/g, '');

/** Anchors as GitHub names them. */
const anchorsOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

test('no link of a page is dead', () => {
  const dead: string[] = [];
  for (const page of pages) {
    const text = withoutCode(readFileSync(join(packageRoot, page), 'utf8'));
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|mailto:)/.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? join(packageRoot, page) : join(packageRoot, dirname(page), path);
      if (!existsSync(file)) dead.push(`${page}: ${link}`);
      else if (anchor !== undefined && statSync(file).isFile() && file.endsWith('.md')) {
        if (!anchorsOf(file).includes(anchor)) dead.push(`${page}: ${link}`);
      }
    }
  }
  expect(pages.length).toBeGreaterThan(100);
  expect(dead).toEqual([]);
});

test('every page of docs/, README and result is reached from the first page of docs/', () => {
  const reached = new Set<string>();
  const reach = (page: string): void => {
    if (reached.has(page)) return;
    reached.add(page);
    const text = withoutCode(readFileSync(join(packageRoot, page), 'utf8'));
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s#]+)/g)) {
      const path = join(dirname(page), link);
      const readme = join(path, 'README.md');
      const target = existsSync(join(packageRoot, readme)) ? readme : path;
      if (target.endsWith('.md') && existsSync(join(packageRoot, target))) reach(target);
    }
  };
  reach('docs/index.md');
  const wanted = /^docs\/|^bench\/results\/|(^|\/)README\.md$/;
  expect(pages.filter((page) => wanted.test(page) && !reached.has(page))).toEqual([]);
});
