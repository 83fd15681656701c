/**
 * The last step of a build: the proxy as one file, so that a sidecar starts without looking for a hundred modules (half
 * of the CPU time of a start), the scripts of pages, and the parts of the Kubernetes client that are used. What the proxy
 * imports only at need stays in files of their own, under dist/parts/.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';
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

/** The client's package does not say that importing it does nothing else; it does nothing else. */
const withoutUnused: Plugin = {
  name: 'without what is unused of the Kubernetes client',
  setup(build) {
    build.onResolve({ filter: /.*/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === asked || !`${path} ${importer}`.includes('@kubernetes/client-node'))
        return;
      const found = await build.resolve(path, { resolveDir, kind, importer, pluginData: asked });
      return { ...found, sideEffects: false };
    });
  },
};
const asked = Symbol('asked already');

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
    entryPoints: ['console/page/main.tsx', 'base/drawing/page/hover.ts'],
    tsconfig: 'console/page/tsconfig.json',
    platform: 'browser',
    target: 'es2022',
    minify: true,
  });
  const kubeconfig = await build({
    ...shared,
    entryPoints: ['mesh/kubernetes/client/kubeconfig.ts'],
    platform: 'node',
    target: 'node20',
    minify: true,
    keepNames: true,
    legalComments: 'inline',
    // Some of what the client imports is CommonJS, which asks for `require`.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    plugins: [withoutUnused],
  });
  const outputFiles = [...proxy.outputFiles, ...page.outputFiles, ...kubeconfig.outputFiles];
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
