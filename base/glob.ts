/** File patterns as in Go's filepath.Glob: `*`, `?` and `[a-z]` within one name of a path. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const special = /[*?[\\]/;

/** The matching files, sorted; a path without special characters gives itself if it exists. */
export function glob(pattern: string): string[] {
  if (!special.test(pattern)) return existsSync(pattern) ? [pattern] : [];
  const absolute = pattern.startsWith('/');
  let found = [absolute ? '/' : ''];
  for (const part of pattern.split('/').filter((p) => p !== '')) {
    if (!special.test(part)) {
      found = found.map((folder) => join(folder, part)).filter((path) => existsSync(path));
      continue;
    }
    const matches = patternOf(part);
    found = found.flatMap((folder) =>
      namesIn(folder === '' ? '.' : folder)
        .filter((name) => matches.test(name))
        .map((name) => join(folder, name)),
    );
  }
  return found.sort();
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function patternOf(part: string): RegExp {
  let source = '';
  for (let i = 0; i < part.length; i++) {
    const char = part[i] as string;
    const close = char === '[' ? part.indexOf(']', i + 1) : -1;
    if (char === '*') source += '.*';
    else if (char === '?') source += '.';
    else if (close > 0) {
      source += `[${part.slice(i + 1, close).replaceAll('\\', '\\\\')}]`;
      i = close;
    } else if (char === '\\' && i + 1 < part.length) {
      source += `\\${part[++i] as string}`;
    } else source += char.replace(/[$()+./^{|}[\]]/g, '\\$&');
  }
  return new RegExp(`^${source}$`, 's');
}
