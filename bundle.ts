/**
 * The last step of a build: the proxy as one file, so that a sidecar starts without looking for a hundred modules (half
 * of the CPU time of a start), and the console's page. What the proxy imports only at need stays in files of their own,
 * under dist/parts/.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot } from './base/paths.js';

const shared = {
  absWorkingDir: packageRoot,
  outdir: 'dist',
  outbase: '.',
  bundle: true,
  format: 'esm',
  logLevel: 'warning',
  write: false,
} as const;

async function bundle(): Promise<void> {
  const { build } = await import('esbuild');
  const proxy = await build({
    ...shared,
    entryPoints: ['mesh/proxy/main.ts'],
    splitting: true,
    platform: 'node',
    target: 'node20',
    packages: 'external',
    // Stacks name functions, and `error.name` is what it was.
    keepNames: true,
    minifyWhitespace: true,
    minifySyntax: true,
    chunkNames: 'parts/[name]-[hash]',
  });
  const page = await build({
    ...shared,
    entryPoints: ['console/page/main.tsx'],
    tsconfig: 'console/page/tsconfig.json',
    platform: 'browser',
    target: 'es2022',
    minify: true,
  });
  const outputFiles = [...proxy.outputFiles, ...page.outputFiles];
  for (const { path, contents } of outputFiles) {
    // Written only where it differs: a proxy may be starting from it just now.
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
}

try {
  await bundle();
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
  const main = join('dist', 'mesh', 'proxy', 'main.js');
  process.stderr.write(`esbuild is not installed (npm ci): ${main} stays in many files\n`);
}
