/**
 * Reads other tools' own SLO files: `node dist/bench/corpora.js sloth=FOLDER pyrra=FOLDER openslo=FOLDER`, each a
 * checkout of its repository. A file is accepted (and promtool accepts its rules), refused at a place by name, or
 * wrong. Only names and outcomes are recorded, no text of the files.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { UserError } from '../base/errors.js';
import { asset } from '../base/paths.js';
// Not from slo/index.js: in the build that is a bundle, whose errors are of another class.
import { compileSlos } from '../slo/rules/compile.js';
import { readWindowTable } from '../slo/rules/windows.js';
import { ruleFileText } from '../slo/rules/write.js';
import { listFiles, readSlos } from '../slo/spec/read.js';

/** The folders of each repository that hold files as its users write them. */
const folders: Record<string, string[]> = {
  sloth: ['examples', 'test/integration/prometheus'],
  pyrra: ['examples'],
  openslo: ['examples'],
};
const isSlo =
  /^(version: ["']?prometheus\/|apiVersion: ["']?(sloth\.slok\.dev|openslo|pyrra\.dev)\/)/m;
/** Left out: the other tool's output, and duplicate examples. */
const leftOut = /\/(_gen|out-[^/]*|setup)(\/|$)/;

interface Row {
  file: string;
  outcome: 'accepted' | 'refused' | 'wrong';
  words: string;
}

const scratch = join(mkdtempSync(join(tmpdir(), 'firedrill-corpora-')), 'rules.yaml');

function promtoolTakes(rules: string): string | undefined {
  writeFileSync(scratch, rules);
  const run = spawnSync('promtool', ['check', 'rules', scratch], { encoding: 'utf8' });
  return run.status === 0 ? undefined : run.stderr.split('\n').slice(0, 3).join(' ');
}

function outcomeOf(file: string, name: string): Row {
  const isWindows = /^kind: ["']?AlertWindows/m.test(readFileSync(file, 'utf8'));
  try {
    const own = asset('examples/slo/retail-sloth.yaml');
    const slos = readSlos([isWindows ? own : file]);
    const windows = isWindows ? { windows: readWindowTable(file) } : {};
    const problem = promtoolTakes(ruleFileText(compileSlos(slos, windows)));
    if (problem !== undefined) return { file: name, outcome: 'wrong', words: problem };
    const count = `${slos.length} SLO${slos.length === 1 ? '' : 's'}`;
    return { file: name, outcome: 'accepted', words: isWindows ? 'alert windows' : count };
  } catch (error) {
    if (!(error instanceof UserError))
      return { file: name, outcome: 'wrong', words: String(error) };
    const [first] = error.problems;
    const at = first?.place ? `${first.place.line}:${first.place.column} ` : '';
    const words = `${at}${first?.message}${first?.expected ? `; expected ${first.expected}` : ''}`;
    return { file: name, outcome: first?.place ? 'refused' : 'wrong', words };
  }
}

const sections = process.argv.slice(2).map((argument) => {
  const [name = '', root = ''] = argument.split('=');
  const files = (folders[name] ?? ['.'])
    .flatMap((folder) => listFiles([join(root, folder)]))
    .filter((f) => !leftOut.test(f) && isSlo.test(readFileSync(f, 'utf8')));
  const rows = files.map((f) => outcomeOf(f, relative(root, f)));
  const counted = (outcome: Row['outcome']): number =>
    rows.filter((r) => r.outcome === outcome).length;
  const line = ({ file, outcome, words }: Row): string =>
    `| ${file} | ${outcome} | ${words.replaceAll('|', '\\|').slice(0, 220)} |\n`;
  return (
    `## ${name}\n\n${rows.length} files: ${counted('accepted')} accepted, ${counted('refused')} refused by name, ` +
    `${counted('wrong')} wrong.\n\n| file | outcome | |\n| --- | --- | --- |\n${rows.map(line).join('')}`
  );
});

rmSync(dirname(scratch), { recursive: true });
const version =
  spawnSync('promtool', ['--version'], { encoding: 'utf8' }).stdout.split(' (')[0] ?? '';
const text = `# What users of other tools bring

Each file alone, through the reader and the compiler, and the rules through ${version}. Refused at a
place by name are mistakes (\`validate/bad\`; a field in the other format's spelling, which Sloth passes over together
with what stands in it), and what cannot be done here: Sloth's plug-ins are Go code, sources other than Prometheus,
calendars other than the UTC month. Where a folder holds such a file, the files beside it are done.

${sections.join('\n')}`;
writeFileSync(join(asset('bench/results'), 'corpora.md'), text);
process.stdout.write(text);
