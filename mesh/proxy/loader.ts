/**
 * Runs the bundled proxy from V8's code cache, so that a sidecar compiles nothing at its start. The build makes the
 * cache (bundle.ts); a runtime with another version or other flags finds no matching cache, and compiles.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';

const bundle = fileURLToPath(new URL('../../parts/proxy.cjs', import.meta.url));
const source = readFileSync(bundle, 'utf8');
/** V8 compares only the length of a source, so the bundle ends with a hash of itself. */
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

/** Delay after the start: the code compiled by then is the code that a start needs. */
const settleMs = 500;
if (process.argv.includes('--write-code-cache')) {
  setTimeout(() => {
    // Renamed into place, since a proxy may be starting now.
    writeFileSync(`${cache}.new`, script.createCachedData());
    renameSync(`${cache}.new`, cache);
    process.exit(0);
  }, settleMs);
}
