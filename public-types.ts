/**
 * Runs after the compiler wrote the types of all modules that the library imports: deletes the types that no public
 * module uses, so that the package contains a fifth of them, and the indentation of the others.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { packageRoot } from './base/paths.js';

const folder = join(packageRoot, 'dist', 'types');
const { exports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { types: string }>;
};

const reached = new Set<string>();
function reach(file: string): void {
  if (reached.has(file)) return;
  reached.add(file);
  for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(
    /(?:from |import\()['"](\.[^'"]+)['"]/g,
  )) {
    reach(resolve(dirname(file), path.replace(/\.js$/, '.d.ts')));
  }
}

for (const target of Object.values(exports)) {
  if (typeof target !== 'string') reach(join(packageRoot, target.types));
}
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name);
  if (!entry.isFile()) continue;
  if (reached.has(file)) {
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^ +(?=[^ *])/gm, ''));
  } else rmSync(file);
}
