#!/usr/bin/env node
/** Where the command starts: quickly, with V8's compiled code kept between starts where Node can (22.1 and later). */
import * as module from 'node:module';
import { join } from 'node:path';
import { cacheFolder, packageVersion } from './base/paths.js';

const [word, ...more] = process.argv.slice(2);
if ((word === '--version' || word === '-V') && more.length === 0) {
  process.stdout.write(`${packageVersion()}\n`);
} else {
  // Where the folder cannot be written, Node goes without.
  const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown };
  if (process.env.NODE_COMPILE_CACHE === undefined)
    enableCompileCache?.(join(cacheFolder(), 'code'));
  await import('./main.js');
}
