/** Runbooks of the user's own: Markdown files as they are, found by name. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '../../base/errors.js';

export interface OwnRunbook {
  /** The file's name without `.md`. */
  name: string;
  file: string;
  /** Its first heading, else its name. */
  title: string;
  text: string;
}

const maxPages = 2000;

/** Of files and of folders, with what is below them. Throws a UserError where there is none. */
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
    const text = readFileSync(file, 'utf8');
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

/** As GitHub makes anchors of headings; a heading that comes again gets a number. */
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
