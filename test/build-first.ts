/**
 * Many tests start the compiled programs, so the build is brought up to date before any test runs: a test that is run
 * alone never tests an old build.
 */
import { spawnSync } from 'node:child_process';
import { packageRoot } from '../base/paths.js';

export default function buildFirst(): void {
  // The compiler is incremental: without changes this takes a fraction of a second.
  const build = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: packageRoot,
    encoding: 'utf8',
  });
  if (build.status !== 0) {
    throw new Error(`the build failed, so no test was run:\n${build.stdout}${build.stderr}`);
  }
}
