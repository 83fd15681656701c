/**
 * A runner for Stryker that loads the tests once: they are bundled with the edited sources, and each edit is switched
 * on while the tests that reach it run. Stryker makes the edits, stops a run that does not end, and starts another.
 */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { isSampled, type Sample } from './mutation-sample.js';
import type { Kept, KeptTest } from './mutation-tests.js';

interface Switches {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
  mutantCoverage?: { static: object; perTest: Record<string, object> };
}

interface Trial {
  activeMutant: { id: string };
  testFilter?: string[];
  hitLimit?: number;
}

const globals = globalThis as { keptTests?: Kept; __stryker__?: Switches };
const switches = (globals.__stryker__ ??= {});
// The edited sources read this object when they are loaded.
switches.mutantCoverage = { static: {}, perTest: {} };

/** MUTATION_TESTS lists the test files below the working folder. */
async function loadTests(): Promise<KeptTest[]> {
  const files = (process.env.MUTATION_TESTS ?? '').split(' ');
  const outdir = resolve('.firedrill-tests');
  await build({
    entryPoints: files,
    // The folder of Stryker's copy: esbuild would use the folder in which it was loaded.
    absWorkingDir: process.cwd(),
    outdir,
    outExtension: { '.js': '.mjs' },
    outbase: '.',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    alias: { vitest: resolve('bench/mutation-tests.ts') },
    logLevel: 'warning',
  });
  for (const file of files) {
    await import(pathToFileURL(join(outdir, file.replace(/\.ts$/, '.mjs'))).href);
  }
  const counted = structuredClone(switches.mutantCoverage?.static ?? {});
  for (const hook of globals.keptTests?.beforeAll ?? []) await hook();
  // An edit that only a hook reaches counts as one that no test reaches, and not as one made while a file is loaded.
  if (switches.mutantCoverage) switches.mutantCoverage.static = counted;
  return globals.keptTests?.tests ?? [];
}

/** An error that nobody caught since the last test began; vitest fails a run that has one. */
let uncaught: string | undefined;
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => (uncaught ??= String(error)));
}

async function failureOf(test: KeptTest): Promise<string | undefined> {
  uncaught = undefined;
  try {
    await test.run();
    return uncaught;
  } catch (error) {
    return String(error);
  }
}

/**
 * In milliseconds. A test that starts programs takes longer, for each of the edits that it reaches; such tests made a
 * run endless. Without them a score is a lower bound.
 */
const slowestTest = 1000;

/** MUTATION_SAMPLE is a sample as JSON; absent: every edit is tried. */
const sample = JSON.parse(process.env.MUTATION_SAMPLE ?? 'null') as Sample | null;

const isEndless = (): boolean => (switches.hitCount ?? 0) > (switches.hitLimit ?? Infinity);

class Runner {
  #tests: KeptTest[] = [];
  #times: number[] = [];
  /** No edit was switched on in this process yet. */
  #isFirst = true;
  /** A test fails without an edit. */
  #isBroken = false;

  capabilities() {
    return { reloadEnvironment: false };
  }

  async init(): Promise<void> {
    this.#tests = await loadTests();
  }

  async dryRun() {
    const tests = [];
    for (const [i, test] of this.#tests.entries()) {
      switches.currentTestId = String(i);
      const began = performance.now();
      const failureMessage = await failureOf(test);
      switches.currentTestId = undefined;
      const timeSpentMs = performance.now() - began;
      this.#times[i] = timeSpentMs;
      if (timeSpentMs > slowestTest && failureMessage === undefined) {
        delete switches.mutantCoverage?.perTest[String(i)];
        continue;
      }
      tests.push({
        id: String(i),
        name: test.name,
        timeSpentMs,
        status: failureMessage === undefined ? 0 : 1,
        ...(failureMessage !== undefined && { failureMessage }),
      });
    }
    return { status: 'complete', tests, mutantCoverage: switches.mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit }: Trial) {
    if (sample && !isSampled(sample, activeMutant.id)) {
      return { status: 'error', errorMessage: 'not in the sample' };
    }
    // The last edit left something broken: Stryker starts another process, and tries this edit again.
    if (this.#isBroken) process.exit(1);
    const time = (id: string): number => this.#times[Number(id)] ?? 0;
    const reaching = testFilter ?? this.#tests.map((_, i) => String(i));
    // The fastest first, because one failure is enough.
    const chosen = reaching.toSorted((a, b) => time(a) - time(b));
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    for (const [i, id] of chosen.entries()) {
      const test = this.#tests[Number(id)] as KeptTest;
      Object.assign(switches, { activeMutant: activeMutant.id, hitCount: 0, hitLimit });
      let failureMessage = await failureOf(test);
      // A test that fails by chance passes the second time.
      if (failureMessage !== undefined && !isEndless()) failureMessage = await failureOf(test);
      // Without this check, a test's own `catch` could hide an endless edit.
      const isTimeout = isEndless();
      switches.activeMutant = undefined;
      if (isTimeout) return { status: 'timeout' };
      if (failureMessage === undefined) continue;
      this.#isBroken = (await failureOf(test)) !== undefined;
      // The test may have been broken by an earlier edit.
      if (this.#isBroken && !isFirst) process.exit(1);
      return { status: 'killed', killedBy: [id], failureMessage, nrOfTests: i + 1 };
    }
    return { status: 'survived', nrOfTests: chosen.length };
  }

  async dispose(): Promise<void> {
    for (const hook of globals.keptTests?.afterAll ?? []) await hook();
  }
}

/** The export that Stryker reads from a plug-in. */
export const strykerPlugins = [{ kind: 'TestRunner', name: 'kept', injectableClass: Runner }];
