/** Paths of the package's own files (templates, scenarios, .proto), from source or from dist/. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'firedrill') {
      return folder;
    }
    const parent = dirname(folder);
    if (parent === folder) throw new Error('package.json of firedrill not found above this file');
    folder = parent;
  }
}

export const packageRoot = findRoot();

/** The path of a file that is not compiled: `asset('runbooks/templates/x.hbs')`. */
export function asset(relativePath: string): string {
  return join(packageRoot, relativePath);
}

/** The compiled entry of a module that `node` runs in its own process: `program('mesh/proxy/main')`. */
export function program(module: string): string {
  return join(packageRoot, 'dist', `${module}.js`);
}

/** `$XDG_CACHE_HOME/firedrill`, else `~/.cache/firedrill`. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'firedrill');
}

export function packageVersion(): string {
  return (
    JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }
  ).version;
}
