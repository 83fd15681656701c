/**
 * Runs the bundled proxy from V8's code cache, so that a sidecar compiles nothing as it starts. The build makes the
 * cache (bundle.ts); another runtime or other flags find none of theirs, and compile.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';

const bundle = fileURLToPath(new URL('../../parts/proxy.cjs', import.meta.url));
const source = readFileSync(bundle, 'utf8');
/** V8 compares the length of a source only: the bundle ends with a hash of itself. */
const hash = source.slice(-16);
const cache = join(dirname(bundle), `proxy.${cachedDataVersionTag()}.${hash}.cache`);

function cached(): Buffer | undefined {
  try {
    return readFileSync(cache);
  } catch {
    return undefined;
  }
}

const script = new Script(`(function (require, __filename) {${source}\n})`, {
  filename: bundle,
  cachedData: cached(),
});
type Run = (require: NodeJS.Require, filename: string) => void;
(script.runInThisContext() as Run)(createRequire(import.meta.url), bundle);

/** After the start: what has been compiled by then is what a start needs. */
const settleMs = 500;
if (process.argv.includes('--write-code-cache')) {
  setTimeout(() => {
    // A proxy may be starting just now.
    writeFileSync(`${cache}.new`, script.createCachedData());
    renameSync(`${cache}.new`, cache);
    process.exit(0);
  }, settleMs);
}
