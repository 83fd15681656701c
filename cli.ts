#!/usr/bin/env node
/** Starts the command quickly: V8's compiled code is kept between starts if Node supports it (22.1 and later). */
import * as module from 'node:module';
import { join } from 'node:path';
import { cacheFolder, packageVersion } from './base/paths.js';

const [word, ...more] = process.argv.slice(2);
if ((word === '--version' || word === '-V') && more.length === 0) {
  process.stdout.write(`${packageVersion()}\n`);
} else {
  // If the folder is not writable, Node works without the cache.
  const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown };
  if (process.env.NODE_COMPILE_CACHE === undefined)
    enableCompileCache?.(join(cacheFolder(), 'code'));
  await import('./main.js');
}
