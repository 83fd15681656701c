/**
 * The entry of the single executable. The executable is Node and Firedrill in one: given the path of a program, as by
 * Firedrill itself, it runs the program as `node` would; given other words, it is the command line.
 */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { getAsset } from 'node:sea';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { unpackedHome } from './home.js';
import { importerFile, archiveName, readWords, type ToRun } from './words.js';

/** The build fills it in. */
declare const archiveDigest: string;

/** As base/errors.ts has it for a machine that lacks something. */
const environmentFailed = 5;

/** NODE_OPTIONS has had the flags that it takes in force from the start (base/node-flags.ts). */
function setFlags(flags: readonly string[]): void {
  const given = (process.env.NODE_OPTIONS ?? '').split(' ');
  for (const flag of flags) if (!given.includes(flag)) setFlagsFromString(flag);
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined && flags.includes('--expose-gc')) {
    Object.assign(globalThis, { gc: runInNewContext('gc') as () => void });
  }
  // A child of this process has flags of its own.
  const left = given.filter((word) => !flags.includes(word)).join(' ');
  if (left === '') delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = left;
}

async function run(home: string, { script, flags, imports, args }: ToRun): Promise<void> {
  setFlags(flags);
  // Only a module on the disk can import others: the executable's own entry has built-in modules alone.
  const load = createRequire(join(home, 'package.json'))(join(home, importerFile)) as (
    url: string,
  ) => Promise<unknown>;
  process.argv.splice(1, Infinity, script, ...args);
  for (const path of [...imports, script]) await load(pathToFileURL(path).href);
}

const isFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() === true;

function start(): void {
  const words = readWords(process.argv.slice(2), isFile);
  if ('code' in words) {
    new Function('require', words.code)(require);
    return;
  }
  let home: string;
  try {
    home = unpackedHome(archiveDigest, () => new Uint8Array(getAsset(archiveName)));
  } catch (error) {
    process.stderr.write(`firedrill cannot unpack its files: ${(error as Error).message}\n`);
    process.exitCode = environmentFailed;
    return;
  }
  const cli = join(home, 'dist', 'cli.js');
  const { script = cli, ...rest } = words;
  void run(home, { ...rest, script: resolve(script) });
}

start();
