/**
 * The last step of a build: each program as a file with shared parts beside it, so that a start does not look for
 * hundreds of modules; the proxy as one file with its code cache, and the console's page. Parts are under dist/parts/.
 * Of the Kubernetes client the parts that are used are bundled. The modules that the compiler wrote one by one stay in
 * dist/, for tests and benches.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BuildOptions, OutputFile, Plugin } from 'esbuild';
import { packageRoot } from './base/paths.js';
import { proxyNodeFlags, proxyProgram } from './mesh/proxy/launch.js';

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

/** What is started or imported by its path, and what `exports` of package.json names. package.json lists the same under `files`. */
export const programs = [
  'cli',
  'alerts/proof/backtest/worker',
  'base/guardian',
  'chaos/faults/memory-leak',
  'chaos/load/driver-main',
  'chaos/relay/main',
  'chaos/runner/warden',
  'chaos/system/attach/main',
  'chaos/system/kubectl-stand-in',
  'chaos/system/kubernetes/main',
  'chaos/system/processes/main',
  'examples/high-throughput/main',
  'examples/retail/main',
  'examples/retail/service-main',
  'mesh/controller/main',
  'mesh/kubernetes/inject/hold',
  'mesh/kubernetes/inject/init',
  'mesh/kubernetes/plugin',
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

const client = '@kubernetes/client-node';

/** The client's package does not say that importing it does nothing else; it does nothing else. */
const withoutUnused: Plugin = {
  name: 'without what is unused of the Kubernetes client',
  setup(build) {
    // Its own files name each other in full; asking the bundler where each is takes ten seconds.
    build.onResolve({ filter: /^\.{1,2}\/.*\.js$/ }, ({ path, importer, resolveDir }) =>
      importer.includes(client) ? { path: join(resolveDir, path), sideEffects: false } : undefined,
    );
    build.onResolve(
      { filter: /^[^.]/ },
      async ({ path, importer, resolveDir, kind, pluginData }) => {
        if (pluginData === asked || !`${path} ${importer}`.includes(client)) return;
        const found = await build.resolve(path, { resolveDir, kind, importer, pluginData: asked });
        return { ...found, sideEffects: false };
      },
    );
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
    {
      ...forNode,
      entryPoints: [{ in: 'mesh/proxy/main.ts', out: proxyBundle }],
      packages: 'external',
      keepNames: true,
      // Run by mesh/proxy/loader.ts, which passes in the two names of CommonJS.
      format: 'cjs',
      splitting: false,
      outExtension: { '.js': '.cjs' },
      // What is imported at need is required: imports of a script are experimental, and Node says so.
      supported: { 'dynamic-import': false },
      define: { 'import.meta.url': 'moduleUrl' },
      banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    },
    { ...forNode, entryPoints: [{ in: 'mesh/proxy/loader.ts', out: 'mesh/proxy/main' }] },
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
    // k6 runs it, and a ConfigMap holds it: one file.
    {
      ...shared,
      entryPoints: ['chaos/load/k6/script.ts'],
      platform: 'neutral',
      external: ['k6', 'k6/*'],
      target: 'es2020',
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

const proxyBundle = 'parts/proxy';

/** Its own hash stands at its end, for the loader. */
function hashed({ text }: OutputFile): { contents: Buffer; hash: string } {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return { contents: Buffer.from(`${text}//${hash}`), hash };
}

/** Starts the proxy once, with the flags that it always has: V8 takes a cache that was made with the same ones. */
function makeCodeCache(folder: string, hash: string): void {
  const caches = readdirSync(folder).filter((name) => name.endsWith('.cache'));
  if (caches.some((name) => name.includes(hash))) return;
  for (const name of caches) rmSync(join(folder, name));
  const work = mkdtempSync(join(tmpdir(), 'firedrill-build-'));
  const config = join(work, 'proxy.json');
  const anyPort = { host: '127.0.0.1', port: 0 };
  const workload = { name: 'build', namespace: 'build' };
  try {
    writeFileSync(config, JSON.stringify({ workload, inbound: anyPort, outbound: anyPort }));
    const args = [...proxyNodeFlags, proxyProgram, '--write-code-cache', '--config', config];
    execFileSync(process.execPath, args, { stdio: 'ignore', timeout: 60_000 });
  } catch (error) {
    // It works without, and starts later.
    process.stderr.write(`no code cache for the proxy: ${String(error)}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Only where it differs: a program may be starting from it just now. */
function write(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}

/** `fresh`: parts of earlier builds go too; otherwise they stay, for programs that run just now. */
async function bundle(fresh: boolean): Promise<void> {
  const { build } = await import('esbuild');
  const files: OutputFile[] = [];
  for (const options of builds()) {
    const { outputFiles = [] } = await build(options);
    files.push(...outputFiles);
  }
  let cache: (() => void) | undefined;
  for (const file of files) {
    const { path } = file;
    if (!path.endsWith(`${proxyBundle}.cjs`)) write(path, file.contents);
    else {
      const { contents, hash } = hashed(file);
      write(path, contents);
      cache = () => makeCodeCache(dirname(path), hash);
    }
  }
  // Another runtime would not take it: the package goes without.
  if (!fresh) return cache?.();
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
