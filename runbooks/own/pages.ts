/** Users' own runbooks: unchanged Markdown files, found by name. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '../../base/errors.js';
import { readInput } from '../../base/input.js';

export interface OwnRunbook {
  /** The file's name without `.md`. */
  name: string;
  file: string;
  /** The page's first heading, otherwise its name. */
  title: string;
  text: string;
}

const maxPages = 2000;

/** Reads files, and folders with their subfolders. Throws a UserError if there is no runbook. */
export function ownRunbooks(paths: readonly string[]): OwnRunbook[] {
  const files = paths.flatMap((path) => {
    if (!existsSync(path)) throw new UserError(`${path}: no such file or folder`);
    return statSync(path).isDirectory() ? markdownBelow(path) : [path];
  });
  if (files.length === 0) {
    throw new UserError({ message: `${paths.join(', ')}: no page`, expected: 'a .md file' });
  }
  if (files.length > maxPages) {
    throw new UserError({ message: `${files.length} pages`, expected: `at most ${maxPages}` });
  }
  return files.map((file) => {
    const text = readInput(file);
    const name = basename(file).replace(/\.md$/i, '');
    return { name, file, text, title: /^# +(.+)$/m.exec(text)?.[1]?.trim() ?? name };
  });
}

const markdownBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      if (entry.name.startsWith('.') || entry.name === 'node_modules') return [];
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return markdownBelow(path);
      return /\.md$/i.test(entry.name) ? [path] : [];
    });

/** Anchors of headings, as GitHub makes them; a repeated heading gets a number. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, title = ''] of text.matchAll(/^#{1,6} +(.+?)\s*#*$/gm)) {
    const plain = title.replaceAll(/[`*]/g, '').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const slug = plain
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    let own = slug;
    for (let i = 1; anchors.has(own); i++) own = `${slug}-${i}`;
    anchors.add(own);
  }
  return anchors;
}
