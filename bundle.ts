/**
 * The last step of a build: makes one file of each program, with shared parts beside it, so that a start does not
 * load hundreds of modules; the proxy as one file with its code cache; and the console's page. Parts are in
 * dist/parts/. Only the used parts of the Kubernetes client are bundled. The compiler's single modules stay in dist/,
 * for tests and benches.
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
  metafile: true,
  minify: true,
} as const;

const forNode = {
  ...shared,
  splitting: true,
  platform: 'node',
  target: 'node20',
  chunkNames: 'parts/[name]-[hash]',
} as const;

/** Some imports of the Kubernetes client are CommonJS, which needs `require`. */
const requireLine =
  "import { createRequire as asked } from 'node:module'; const require = asked(import.meta.url);";

/**
 * The programs started or imported by their path, and the `exports` of package.json. package.json lists the same
 * under `files`.
 */
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

/** The client's package does not declare that importing it has no side effects, but it has none. */
const withoutUnused: Plugin = {
  name: 'without what is unused of the Kubernetes client',
  setup(build) {
    // Its own imports have full paths; resolving each by the bundler takes ten seconds.
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

/**
 * Packages of the client in place of which something is there already: a third of the client's bundle. And what
 * commander loads at each start to run commands that are programs of their own, of which we have none.
 */
const already: Plugin = {
  name: 'what is there already',
  setup(build) {
    // node-fetch asks for it only where the runtime has no URL of its own.
    build.onResolve({ filter: /^whatwg-url$/ }, () => ({ path: 'node:url', external: true }));
    // Kept are Headers, which the runtime has; requests go through mesh/kubernetes/client.
    build.onResolve({ filter: /^node-fetch$/ }, () => ({ path: 'fetch', namespace: 'already' }));
    build.onLoad({ filter: /^fetch$/, namespace: 'already' }, () => ({
      contents: 'module.exports = { Headers };',
    }));
    // The package's first file brings its server as well, which nobody starts.
    build.onResolve({ filter: /^ws$/ }, () => ({
      path: join(packageRoot, 'node_modules/ws/lib/websocket.js'),
    }));
    build.onResolve({ filter: /^ip-address$/ }, () => ({
      path: join(packageRoot, 'mesh/kubernetes/client/socks-address.ts'),
    }));
    build.onResolve({ filter: /^jsonpath-plus$/ }, () => ({
      path: join(packageRoot, 'mesh/kubernetes/client/token-path.ts'),
    }));
    build.onResolve({ filter: /^js-yaml$/ }, () => ({ path: 'js-yaml', namespace: 'already' }));
    build.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[\\/]commander[\\/]/.test(importer) ? { path: 'nothing', namespace: 'already' } : undefined,
    );
    // The agents for proxies only trace with it.
    build.onResolve({ filter: /^debug$/ }, () => ({ path: 'debug', namespace: 'already' }));
    build.onLoad({ filter: /^debug$/, namespace: 'already' }, () => ({
      contents: 'module.exports = () => () => {};',
    }));
    build.onLoad({ filter: /^nothing$/, namespace: 'already' }, () => ({ contents: '' }));
    build.onLoad({ filter: /^js-yaml$/, namespace: 'already' }, () => ({
      contents: `import { parse } from 'yaml'; export default { load: (text) => parse(text, { merge: true }) };`,
      resolveDir: packageRoot,
    }));
  },
};

/**
 * Nearly every command needs these, and they load two to five times faster as parts than from their many files.
 * yaml is CommonJS: `await import('yaml')` of a part has only a default export, so each import of yaml is static.
 */
const bundled = ['commander', 'yaml', 'zod'];

/** Packages that an installation brings. */
function installed(): string[] {
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(packageRoot, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'optionalDependencies', Record<string, string>>;
  return [...Object.keys(dependencies), ...Object.keys(optionalDependencies)];
}

function builds(): BuildOptions[] {
  return [
    {
      ...forNode,
      entryPoints: [{ in: 'mesh/proxy/main.ts', out: proxyBundle }],
      packages: 'external',
      // mesh/proxy/loader.ts runs the file and passes in the two names of CommonJS.
      format: 'cjs',
      splitting: false,
      outExtension: { '.js': '.cjs' },
      // Lazy imports become `require`: imports of a script are experimental, and Node warns about them.
      supported: { 'dynamic-import': false },
      define: { 'import.meta.url': 'moduleUrl' },
      banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    },
    { ...forNode, entryPoints: [{ in: 'mesh/proxy/loader.ts', out: 'mesh/proxy/main' }] },
    {
      ...forNode,
      entryPoints: [...programs, ...libraries].map((name) => `${name}.ts`),
      external: installed().filter((name) => !bundled.includes(name)),
      legalComments: 'inline',
      banner: { js: requireLine },
      plugins: [withoutUnused, already],
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
const licencesFile = 'licences.md';

/** The file ends with a hash of itself, for the loader. */
function hashed({ text }: Pick<OutputFile, 'text'>): { contents: Buffer; hash: string } {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return { contents: Buffer.from(`${text}//${hash}`), hash };
}

/** Starts the proxy once, with its usual flags: V8 accepts only a cache made with the same flags. */
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
    // The cache is optional: without it the proxy starts more slowly.
    process.stderr.write(`no code cache for the proxy: ${String(error)}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Name, version and licence of each package of which a part was bundled: their licences ask for it. */
function licences(inputs: readonly string[]): string {
  const folders = inputs.map((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  const found = [...new Set(folders)].filter((folder) => folder !== undefined).sort();
  return found.map(licenceOf).join('\n\n');
}

function licenceOf(folder: string): string {
  const at = join(packageRoot, folder);
  const file = readdirSync(at).find((name) => /^licen[cs]e/i.test(name));
  const { name, version, license } = JSON.parse(
    readFileSync(join(at, 'package.json'), 'utf8'),
  ) as Record<'name' | 'version' | 'license', string>;
  // The text of Apache-2.0 is the package's own LICENSE.
  const known = file === undefined || license === 'Apache-2.0';
  const text = known ? '' : `\n\n${readFileSync(join(at, file), 'utf8').trim()}`;
  return `## ${name} ${version} (${license})${text}`;
}

/** Writes a file only if it differs: a program may be starting from it. */
function write(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}

/** `fresh`: also removes parts of earlier builds; otherwise they stay, for running programs. */
async function bundle(fresh: boolean): Promise<void> {
  const { build } = await import('esbuild');
  const { withSmallPartsJoined } = await import('./small-parts.js');
  const files: Pick<OutputFile, 'path' | 'text' | 'contents'>[] = [];
  const used: string[] = [];
  for (const options of builds()) {
    const { outputFiles = [], metafile } = await build(options);
    if (options.banner?.js !== requireLine) files.push(...outputFiles);
    else {
      const folder = join(packageRoot, 'dist', 'parts');
      const settings = { folder, banner: requireLine, target: forNode.target };
      for (const { path, text } of await withSmallPartsJoined(outputFiles, settings))
        files.push({ path, text, contents: Buffer.from(text) });
    }
    for (const { inputs } of Object.values(metafile?.outputs ?? {}))
      for (const [path, { bytesInOutput }] of Object.entries(inputs))
        if (bytesInOutput > 0) used.push(path);
  }
  write(join(packageRoot, 'dist', 'parts', licencesFile), Buffer.from(licences(used)));
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
  // Another runtime would refuse the cache, so the package does not contain it.
  if (!fresh) return cache?.();
  const parts = join(packageRoot, 'dist', 'parts');
  const made = new Set([...files.map(({ path }) => path), join(parts, licencesFile)]);
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
