/**
 * The share of edits that a module's own tests detect: `npm run mutation -- AREA…`, by Stryker, which is installed
 * for the run only (`npm install --no-save`) and is no dependency. Every kind of edit counts, including texts; an
 * edit that ends in an endless loop counts as detected. `--sample 10 --seed 1` tries 10% of the edits, drawn by lot.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolder } from '../base/make-folder.js';
import { parseArgs } from 'node:util';
import { interval, isSampled, type Sample } from './mutation-sample.js';

const stryker = '9.6.1';
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, '.firedrill', 'mutation');

interface Area {
  /** In per cent of the edits. */
  bar: number;
  files: string[];
  tests: string[];
}

const areas: Record<string, Area> = {
  judges: {
    bar: 90,
    files: [
      'slo/rules/theory.ts',
      'chaos/runner/judge.ts',
      'chaos/runner/theory.ts',
      'chaos/runner/theories.ts',
      'chaos/runner/arms.ts',
    ],
    tests: [
      'test/slo/theory.test.ts',
      'test/chaos/judge.test.ts',
      'test/chaos/judge-edges.test.ts',
      'test/chaos/outcome.test.ts',
      'test/chaos/theory.test.ts',
      'test/chaos/theories.test.ts',
      'test/chaos/arms.test.ts',
    ],
  },
  'slo/rules': {
    bar: 80,
    files: ['slo/rules/*.ts', '!slo/rules/theory.ts'],
    tests: [
      'test/slo/golden.test.ts',
      'test/slo/told.test.ts',
      'test/slo/theory.test.ts',
      'test/slo/words.test.ts',
      'test/slo/composites.test.ts',
      'test/slo/outputs.test.ts',
      'test/slo/intake.test.ts',
      'test/slo/false-pages.test.ts',
      'test/slo/rollouts.test.ts',
    ],
  },
  'chaos/runner': {
    bar: 80,
    files: ['chaos/runner/*.ts', '!chaos/runner/{judge,theory,theories,arms}.ts'],
    tests: [
      'test/chaos/judge.test.ts',
      'test/chaos/judge-edges.test.ts',
      'test/chaos/theory.test.ts',
      'test/chaos/theories.test.ts',
      'test/chaos/arms.test.ts',
      'test/chaos/outcome.test.ts',
      'test/chaos/silence.test.ts',
      'test/chaos/journal.test.ts',
      'test/chaos/steady.test.ts',
      'test/chaos/gaps.test.ts',
      'test/chaos/abort.test.ts',
      'test/chaos/answers.test.ts',
      'test/chaos/awaited.test.ts',
      'test/chaos/hints.test.ts',
      'test/chaos/reached.test.ts',
      'test/chaos/unscraped.test.ts',
      'test/chaos/runbook-proof.test.ts',
      'test/chaos/stories.test.ts',
      'test/chaos/firings.test.ts',
      'test/chaos/injection.test.ts',
      'test/chaos/lateness.test.ts',
      'test/chaos/leftovers.test.ts',
      'test/chaos/measure.test.ts',
      'test/chaos/not-before.test.ts',
      'test/chaos/sightings.test.ts',
      'test/chaos/silences.test.ts',
      'test/chaos/withheld.test.ts',
      'test/chaos/mutations.test.ts',
      'test/chaos/events.test.ts',
      'test/chaos/deaths.test.ts',
    ],
  },
  'mesh/proxy/flow': {
    bar: 80,
    files: ['mesh/proxy/flow/**/*.ts'],
    tests: [
      'test/mesh/proxy/flow.test.ts',
      'test/mesh/proxy/flow-balance.test.ts',
      'test/mesh/proxy/flow-limits.test.ts',
      'test/mesh/proxy/flow-scopes.test.ts',
      'test/mesh/proxy/flow-metrics.test.ts',
      'test/mesh/proxy/flow-telemetry.test.ts',
      'test/mesh/proxy/flow-stories.test.ts',
      'test/mesh/proxy/request-label.test.ts',
    ],
  },
};

interface Mutant {
  id: string;
  status: 'Killed' | 'Timeout' | 'Survived' | 'NoCoverage' | 'Ignored' | string;
  mutatorName: string;
  replacement?: string;
  location: { start: { line: number; column: number } };
}
interface Row {
  file: string;
  noticed: number;
  all: number;
}

interface Measured {
  rows: Row[];
  /** Null: every edit was tried. */
  sample: Sample | null;
  /** All edits of the area, tried or not. */
  edits: number;
}

const reportOf = (area: string): string => join(folder, `${area.replaceAll('/', '-')}.json`);
const sampleOf = (area: string): string => join(folder, `${area.replaceAll('/', '-')}.sample.json`);

/** Runs Stryker over one area and reads its report. */
function measure(name: string, area: Area, sample: Sample | null): Measured {
  const config = join(folder, 'stryker.json');
  const settings = {
    // Stryker would rewrite tsconfig.json through a JavaScript API that TypeScript 7 does not have.
    tsconfigFile: 'none.json',
    testRunner: 'kept',
    plugins: [join(root, 'dist/bench/mutation-runner.js')],
    mutate: area.files,
    reporters: ['json', 'progress-append-only'],
    jsonReporter: { fileName: reportOf(name) },
    tempDirName: '.firedrill/sandbox',
    ignorePatterns: ['bench/results', 'docs', 'charts', '.firedrill', 'gameday-report'],
    coverageAnalysis: 'perTest',
    ignoreStatic: true,
    concurrency: Number(process.env.MUTATION_WORKERS ?? 2),
    timeoutMS: 4000,
    dryRunTimeoutMinutes: 20,
  };
  writeFileSync(config, JSON.stringify(settings));
  // Stryker ends well although its tests failed before any edit; the last run's report must not count for this one.
  rmSync(reportOf(name), { force: true });
  const run = spawnSync('npx', ['--no-install', 'stryker', 'run', config], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      MUTATION_TESTS: area.tests.join(' '),
      MUTATION_SAMPLE: JSON.stringify(sample),
    },
  });
  if (run.status !== 0 || !existsSync(reportOf(name))) {
    throw new Error(`Stryker ended with ${run.status} over ${name}`);
  }
  writeFileSync(sampleOf(name), JSON.stringify(sample));
  return measuredOf(name);
}

const noticed = (m: Mutant): boolean => m.status === 'Killed' || m.status === 'Timeout';
const counts = (m: Mutant): boolean =>
  noticed(m) || m.status === 'Survived' || m.status === 'NoCoverage';

function measuredOf(area: string): Measured {
  const { files } = JSON.parse(readFileSync(reportOf(area), 'utf8')) as {
    files: Record<string, { mutants: Mutant[]; source: string }>;
  };
  const sample = existsSync(sampleOf(area))
    ? (JSON.parse(readFileSync(sampleOf(area), 'utf8')) as Sample | null)
    : null;
  const rows = Object.entries(files).map(([file, { mutants, source }]) => {
    const lines = source.split('\n');
    const drawn = mutants.filter((m) => counts(m) && (!sample || isSampled(sample, m.id)));
    for (const m of drawn.filter((one) => !noticed(one))) {
      const { line, column } = m.location.start;
      const text = lines[line - 1]?.trim() ?? '';
      console.log(`${file}:${line}:${column} ${m.status} ${text} => ${m.replacement ?? ''}`);
    }
    return { file, noticed: drawn.filter(noticed).length, all: drawn.length };
  });
  const edits = Object.values(files).flatMap((f) => f.mutants);
  return { rows, sample, edits: edits.filter((m) => m.status !== 'Ignored').length };
}

function section(name: string, area: Area, { rows, sample, edits }: Measured): string {
  const sum = { noticed: 0, all: 0 };
  for (const row of rows) {
    sum.noticed += row.noticed;
    sum.all += row.all;
  }
  const line = (label: string, row: Omit<Row, 'file'>): string =>
    `| ${label} | ${row.all} | ${row.noticed} | ${((100 * row.noticed) / row.all).toFixed(1)}% |`;
  const [low, high] = interval(sum.noticed, sum.all).map((p) => p.toFixed(1));
  const drawn =
    `A sample: ${sum.all} of ${edits} edits, by lot (seed ${sample?.seed}). With a certainty of 95%, ` +
    `the score of all edits is between ${low}% and ${high}%.`;
  return [
    `## ${name}`,
    '',
    ...(sample ? [drawn, ''] : []),
    `| file (bar: ${area.bar}%) | edits | noticed | score |`,
    '| --- | ---: | ---: | ---: |',
    ...rows.filter((r) => r.all > 0).map((r) => line(r.file, r)),
    line('all', sum),
    '',
  ].join('\n');
}

const { values, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: 'string' }, seed: { type: 'string', default: '1' } },
});
for (const name of asked) {
  if (!(name in areas))
    throw new Error(`no area '${name}'; there are ${Object.keys(areas).join(', ')}`);
}
const sampled =
  values.sample === undefined
    ? null
    : { share: Number(values.sample) / 100, seed: Number(values.seed) };
if (sampled && !(sampled.share > 0 && sampled.share <= 1)) {
  throw new Error(`--sample ${values.sample}; expected per cent of the edits`);
}
makeFolder(folder);
const result = join(root, 'bench/results/mutation.md');
/** An area that is not measured now keeps its section. */
const before = readFileSync(result, 'utf8').split(/^(?=## )/m);
const sections = Object.entries(areas).flatMap(([name, area]) => {
  if (asked.length === 0 || asked.includes(name)) {
    return [section(name, area, measure(name, area, sampled))];
  }
  return before.filter((text) => text.startsWith(`## ${name}\n`)).map((t) => `${t.trimEnd()}\n`);
});
const head = `# Edits of our own code that its tests notice

\`npm run mutation\` (Stryker ${stryker}, Node ${process.versions.node}): each edit of a file below, one at a time,
against the unit tests of its area (\`bench/mutation-score.ts\` names them). Texts count as code does; an edit that
never ends counts as noticed. Left out are edits of what runs once while a file is loaded, and tests that take more
than a second, so that each score is a lower bound.

`;
writeFileSync(result, `${head}${sections.join('\n')}`);
