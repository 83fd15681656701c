/**
 * Builds one file that runs on a machine without Node: this Node, with Firedrill's files as an asset (Node's "single
 * executable application"). Usage: node dist/executable/build.js [FILE]
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { inject } from 'postject';
import { makeFolder } from '../base/make-folder.js';
import { packageRoot } from '../base/paths.js';
import { pack, type PackedFile } from './archive.js';
import { archiveName, importerFile } from './words.js';

/** Node looks for the blob under this name, if the fuse in its own file says so. */
const blobName = 'NODE_SEA_BLOB';
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** The paths of the files that `npm pack` takes, without the types of the library. */
function packageFiles(): string[] {
  const args = ['pack', '--dry-run', '--ignore-scripts', '--json'];
  const told = execFileSync('npm', args, {
    cwd: packageRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [packed] = JSON.parse(told) as { files: { path: string }[] }[];
  return (packed?.files ?? []).map(({ path }) => path).filter((p) => !p.startsWith('dist/types/'));
}

/** Of the packed programs and of the installed packages, the files that a program can load. */
async function loadedFiles(programs: readonly string[]): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: packageRoot,
    entryPoints: programs.map((path) => ({ in: path, out: path })),
    outdir: 'out',
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    // Node's own conditions, without the bundlers' one.
    conditions: [],
    logLevel: 'error',
    external: ['koffi', 'k6', 'k6/*'],
  });
  return Object.keys(metafile.inputs);
}

const folderOf = (path: string): string => /^node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? '';

/** koffi finds its native part by the machine's name, which no bundler sees. */
function koffiFiles(): string[] {
  const native = `node_modules/@koromix/koffi-${platform()}-${arch()}`;
  return ['node_modules/koffi', native].flatMap((folder) =>
    readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(c?js|json|node)$/.test(name))
      .map((name) => `${folder}/${name}`),
  );
}

/** Manifests, by which Node finds a package's files, and licences. */
const aboutPackages = (folders: readonly string[]): string[] =>
  folders.flatMap((folder) =>
    readdirSync(join(packageRoot, folder))
      .filter((name) => name === 'package.json' || /^licen[cs]e/i.test(name))
      .map((name) => `${folder}/${name}`),
  );

async function archivedFiles(): Promise<PackedFile[]> {
  const own = packageFiles();
  const programs = own.filter((p) => /^dist\/(?!parts\/).*\.js$/.test(p) && !p.includes('/k6/'));
  const loaded = await loadedFiles([...programs, 'dist/parts/proxy.cjs']);
  // An older build leaves parts that no program loads; the proxy's code cache is not imported.
  const isOld = (path: string): boolean =>
    /^dist\/parts\/.*\.js$/.test(path) && !loaded.includes(path);
  const modules = [...loaded.filter((path) => path.startsWith('node_modules/')), ...koffiFiles()];
  const packages = [...new Set(modules.map(folderOf))];
  const paths = new Set([
    ...own.filter((path) => !isOld(path)),
    ...modules,
    ...aboutPackages(packages),
  ]);
  const importer = { path: importerFile, contents: 'module.exports = (url) => import(url);\n' };
  return [
    ...[...paths].sort().map((path) => {
      const file = join(packageRoot, path);
      return { path, contents: readFileSync(file), mode: statSync(file).mode & 0o777 };
    }),
    { path: importer.path, contents: Buffer.from(importer.contents), mode: 0o644 },
  ];
}

/** The entry as one CommonJS file: Node 20 starts nothing else. */
async function entry(digest: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: packageRoot,
    entryPoints: ['executable/start.ts'],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    define: { archiveDigest: JSON.stringify(digest) },
  });
  return outputFiles[0]?.text ?? '';
}

async function buildExecutable(file: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'firedrill-executable-'));
  try {
    const archive = pack(await archivedFiles());
    const digest = createHash('sha256').update(archive).digest('hex');
    const [main, blob] = [join(work, 'main.cjs'), join(work, 'blob')];
    writeFileSync(join(work, archiveName), archive);
    writeFileSync(main, await entry(digest));
    const config = {
      main,
      output: blob,
      disableExperimentalSEAWarning: true,
      assets: { [archiveName]: join(work, archiveName) },
    };
    writeFileSync(join(work, 'config.json'), JSON.stringify(config));
    const args = ['--experimental-sea-config', join(work, 'config.json')];
    execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    makeFolder(dirname(file));
    // Another file first: the old executable may be running.
    const beside = `${file}.new`;
    copyFileSync(process.execPath, beside);
    chmodSync(beside, 0o755);
    await inject(beside, blobName, readFileSync(blob), { sentinelFuse: fuse });
    renameSync(beside, file);
    const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
    process.stdout.write(
      `${file}: ${megabytes(statSync(file).size)} MB, of which ${megabytes(archive.length)} MB are ` +
        `Firedrill and the rest is Node ${process.versions.node}\n`,
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const standard = join(packageRoot, 'release', `firedrill-${platform()}-${arch()}`);
await buildExecutable(resolve(process.argv[2] ?? standard));
