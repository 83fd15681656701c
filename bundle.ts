/**
 * The last step of a build: each program as a file with shared parts beside it, so that a start does not look for
 * hundreds of modules; the proxy as one file, and the console's page. Parts are under dist/parts/. Of the Kubernetes
 * client the parts that are used are bundled. The modules that the compiler wrote one by one stay in dist/, for tests
 * and benches.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BuildOptions, OutputFile, Plugin } from 'esbuild';
import { packageRoot } from './base/paths.js';

const shared = {
  absWorkingDir: packageRoot,
  outdir: 'dist',
  outbase: '.',
  bundle: true,
  format: 'esm',
  logLevel: 'warning',
  write: false,
  minify: true,
} as const;

const forNode = {
  ...shared,
  splitting: true,
  platform: 'node',
  target: 'node20',
  chunkNames: 'parts/[name]-[hash]',
} as const;

/** What is started by its path, and what `exports` of package.json names. package.json lists the same under `files`. */
export const programs = [
  'cli',
  'alerts/proof/backtest/worker',
  'base/guardian',
  'chaos/load/driver-main',
  'chaos/relay/main',
  'chaos/runner/warden',
  'chaos/system/attach/main',
  'chaos/system/kubernetes/main',
  'chaos/system/processes/main',
  'examples/high-throughput/main',
  'examples/retail/main',
  'examples/retail/memory-leak',
  'examples/retail/service-main',
  'mesh/controller/main',
  'mesh/kubernetes/rollout/warden',
  'mesh/proxy/await',
  'mesh/proxy/config-file',
] as const;
export const libraries = [
  'slo/index',
  'slo/promql/index',
  'alerts/index',
  'chaos/index',
  'runbooks/index',
] as const;

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

/** Packages that an installation brings. */
function installed(): string[] {
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(packageRoot, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'optionalDependencies', Record<string, string>>;
  return [...Object.keys(dependencies), ...Object.keys(optionalDependencies)];
}

function builds(): BuildOptions[] {
  return [
    // Stacks of the proxy name functions; for the rest names would be 48 KB of the package.
    { ...forNode, entryPoints: ['mesh/proxy/main.ts'], packages: 'external', keepNames: true },
    {
      ...forNode,
      entryPoints: [...programs, ...libraries].map((name) => `${name}.ts`),
      external: installed(),
      legalComments: 'inline',
      // Some of what the Kubernetes client imports is CommonJS, which asks for `require`.
      banner: {
        js: "import { createRequire as asked } from 'node:module'; const require = asked(import.meta.url);",
      },
      plugins: [withoutUnused],
    },
    {
      ...shared,
      entryPoints: ['console/page/main.tsx', 'base/drawing/page/hover.ts'],
      tsconfig: 'console/page/tsconfig.json',
      platform: 'browser',
      target: 'es2022',
    },
  ];
}

/** `fresh`: parts of earlier builds go too; otherwise they stay, for programs that run just now. */
async function bundle(fresh: boolean): Promise<void> {
  const { build } = await import('esbuild');
  const files: OutputFile[] = [];
  for (const options of builds()) {
    const { outputFiles = [] } = await build(options);
    files.push(...outputFiles);
  }
  for (const { path, contents } of files) {
    // Written only where it differs: a program may be starting from it just now.
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
  if (!fresh) return;
  const parts = join(packageRoot, 'dist', 'parts');
  const made = new Set(files.map(({ path }) => path));
  for (const name of readdirSync(parts)) {
    if (!made.has(join(parts, name))) rmSync(join(parts, name));
  }
}

try {
  await bundle(process.argv.includes('--fresh'));
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
  process.stderr.write('esbuild is not installed (npm ci): programs stay in many files\n');
}
