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
  for (const hook of globals.keptTests?.beforeAll ?? []) await hook();
  return globals.keptTests?.tests ?? [];
}

async function failureOf(test: KeptTest): Promise<string | undefined> {
  try {
    await test.run();
    return undefined;
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

class Runner {
  #tests: KeptTest[] = [];
  #times: number[] = [];

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
    const time = (id: string): number => this.#times[Number(id)] ?? 0;
    const reaching = testFilter ?? this.#tests.map((_, i) => String(i));
    // The fastest first, because one failure is enough.
    const chosen = reaching.toSorted((a, b) => time(a) - time(b));
    Object.assign(switches, { activeMutant: activeMutant.id, hitCount: 0, hitLimit });
    try {
      for (const [i, id] of chosen.entries()) {
        const failureMessage = await failureOf(this.#tests[Number(id)] as KeptTest);
        // Without this check, a test's own `catch` could hide an endless edit.
        if ((switches.hitCount ?? 0) > (hitLimit ?? Infinity)) return { status: 'timeout' };
        if (failureMessage === undefined) continue;
        return { status: 'killed', killedBy: [id], failureMessage, nrOfTests: i + 1 };
      }
      return { status: 'survived', nrOfTests: chosen.length };
    } finally {
      switches.activeMutant = undefined;
    }
  }

  async dispose(): Promise<void> {
    for (const hook of globals.keptTests?.afterAll ?? []) await hook();
  }
}

/** The export that Stryker reads from a plug-in. */
export const strykerPlugins = [{ kind: 'TestRunner', name: 'kept', injectableClass: Runner }];
