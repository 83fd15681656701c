/**
 * Twelve defects between a fault and the pager, one at a time, through the command line and on a real Prometheus,
 * Alertmanager and k6: does the verdict name each? `npm run bench:mutations -- misrouted inhibited` runs two, without
 * names all. Rows are kept in the file of the first environment variable below, one JSON object per line, so that
 * runs may be made one at a time; the table of all rows is bench/results/mutations.md.
 */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../base/clock.js';
import { asset, program } from '../base/paths.js';
import { formatTable } from '../base/terminal.js';
import type { GameDayRecord } from '../runbooks/record.js';
import { attachedDrill } from './mutations-attached.js';

interface Mutation {
  name: string;
  /** Changes the folder before the run. */
  change(folder: string): void;
  /** A scenario of examples/systems/two-services, or of the attached drill. */
  scenario?: string;
  /** A pattern for the first reason, or the refusal. */
  says: RegExp;
  code: number;
  /** Acts on the run's processes once the system is up. */
  meanwhile?(pid: number): Promise<void>;
  attached?: true;
}

const edit = (folder: string, file: string, from: string | RegExp, to: string): void => {
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${file} has no ${String(from)}`);
  writeFileSync(path, changed);
};
const rules = 'rules/two-services.yaml';
const backDown = /expr: up\{job="back"\} == 0/;
const idleFault =
  '{ id: cut, kind: abort, target: front/back, settings: { abortStatus: 503, pathPrefix: /nobody } }';
const alwaysOn = `      - alert: RegionDown
        expr: vector(1)
        labels: { severity: info }
`;

const mutations: Mutation[] = [
  { name: 'none', change: () => undefined, code: 0, says: /^$/ },
  {
    name: 'rule deleted',
    change: (f) => edit(f, rules, /      - alert: BackDown\n(        .*\n)+/, ''),
    code: 2,
    says: /back-killed\.yaml:\d+:\d+: no rule BackDown is loaded/,
  },
  {
    name: 'for x 10',
    change: (f) => edit(f, rules, /(up\{job="back"\} == 0\n +for: )1m/, '$110m'),
    code: 1,
    says: /^BackDown \(page\) came after \S+ s, .* of 4.5 s; in theory its rule cannot fire before 5.0 s/,
  },
  {
    name: 'wrong severity',
    change: (f) => edit(f, rules, /severity: page, team: back/, 'severity: ticket, team: back'),
    code: 2,
    says: /no rule BackDown has the severity page; expected ticket/,
  },
  {
    name: 'misrouted',
    change: (f) => edit(f, 'alertmanager.yml', 'team="back"', 'team="bakc"'),
    code: 1,
    says: /^BackDown \(page\) fired and was routed to 'everybody': 'back-oncall' was not notified/,
  },
  {
    name: 'inhibited',
    change: (f) => {
      edit(f, rules, /      - alert: BackDown\n/, `${alwaysOn}      - alert: BackDown\n`);
      edit(
        f,
        'alertmanager.yml',
        'receivers:',
        'inhibit_rules: [{ source_matchers: [alertname="RegionDown"], target_matchers: [team="back"] }]\nreceivers:',
      );
    },
    code: 1,
    says: /^BackDown \(page\) fired and was inhibited by RegionDown \(inhibit rule 1\): nobody was notified/,
  },
  {
    name: 'metric renamed',
    change: (f) => edit(f, rules, backDown, 'expr: up_renamed{job="back"} == 0'),
    code: 3,
    says: /^BackDown \(page\) has no data to fire on: no series up_renamed/,
  },
  {
    name: 'fault without effect',
    change: (f) =>
      edit(f, 'scenarios/back-cut.yaml', /faults:\n.*\n/, `faults:\n  - ${idleFault}\n`),
    scenario: 'back-cut',
    code: 3,
    says: /^cut had no effect on front\/back: 0 requests struck/,
  },
  {
    name: 'no load',
    change: () => undefined,
    scenario: 'back-cut',
    code: 3,
    says: /^the load ended: /,
    meanwhile: (pid) => killBelow(pid, /\bk6\b.*\brun\b/),
  },
  {
    name: 'page already firing',
    change: (f) => edit(f, rules, backDown, 'expr: vector(1)'),
    code: 3,
    says: /^not steady before the injection: BackDown \(page\) fires already/,
  },
  {
    name: 'scrape stopped',
    change: (f) =>
      edit(
        f,
        'front.mjs',
        'return void response.end(page());',
        'return void response.writeHead(/"502"} [1-9]/.test(page()) ? 500 : 200).end(page());',
      ),
    scenario: 'back-cut',
    code: 1,
    says: /^FrontAvailability \(page\) did not fire: its data ended under the fault \(no series .* is blind/,
  },
  {
    name: 'undo fails',
    change: (f) =>
      edit(f, 'firedrill.yaml', 'undo: { command: [rm, -f, broken]', "undo: { command: ['false']"),
    attached: true,
    scenario: 'broken',
    code: 1,
    says: /^left behind: .*broken/,
  },
  {
    name: 'runbook page gone',
    change: (f) => rmSync(join(f, 'runbooks/front.md')),
    code: 2,
    says: /back-killed\.yaml:\d+:\d+: no file \.\.\/runbooks\/front\.md beside the scenario/,
  },
];

/** Kills the first process below `pid` whose command line matches, when there is one. */
async function killBelow(pid: number, fits: RegExp): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isBelow(name, pid));
    const one = found.find((name) =>
      fits.test(read(`/proc/${name}/cmdline`).replaceAll('\0', ' ')),
    );
    if (one !== undefined) {
      // Some requests have been answered by then.
      await sleep(6000);
      process.kill(Number(one), 'SIGKILL');
      return;
    }
    await sleep(100);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isBelow(name: string, pid: number): boolean {
  for (let at = Number(name); at > 1;) {
    if (at === pid) return true;
    const stat = read(`/proc/${at}/stat`);
    at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
  }
  return false;
}

interface Row {
  name: string;
  code: number | null;
  verdict: string;
  named: boolean;
  said: string;
  seconds: number;
}

async function run(mutation: Mutation): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'mutations-'));
  const attached = mutation.attached ? await attachedDrill(folder) : undefined;
  try {
    if (!attached) cpSync(asset('examples/systems/two-services'), folder, { recursive: true });
    // The rule meets the first deadline; it misses one of ten times its `for`.
    if (!attached)
      edit(folder, 'scenarios/back-killed.yaml', 'within: 20m', 'within: 5m, theory: for');
    mutation.change(folder);
    const scenario = `scenarios/${mutation.scenario ?? 'back-killed'}.yaml`;
    const kinds = ['--prometheus', 'real', '--load', 'k6', '--time-scale', '1/120'];
    const args = ['gameday', 'run', '--scenarios', scenario, ...kinds];
    const begun = performance.now();
    const child = spawn(process.execPath, [program('cli'), ...args], {
      cwd: folder,
      env: { ...process.env, XDG_STATE_HOME: join(folder, 'xdg') },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    }
    void mutation.meanwhile?.(child.pid as number);
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    const seconds = (performance.now() - begun) / 1000;
    return { name: mutation.name, code, seconds, ...judged(mutation, folder, output, code) };
  } finally {
    attached?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function judged(
  { says, code: wanted }: Mutation,
  folder: string,
  output: string,
  code: number | null,
): Pick<Row, 'verdict' | 'named' | 'said'> {
  const file = join(folder, 'gameday-report/record.json');
  if (!existsSync(file)) {
    const said = output.trim().replaceAll(`${folder}/`, '').split('\n').at(-1) ?? '';
    return { verdict: 'refused', said, named: says.test(output) && code === wanted };
  }
  const [scenario] = (JSON.parse(readFileSync(file, 'utf8')) as GameDayRecord).scenarios;
  const reasons = scenario?.reasons ?? [];
  const said = reasons[0] ?? '';
  const named = says.test(said) && code === wanted;
  return { verdict: scenario?.verdict ?? 'none', said, named };
}

const asked = process.argv.slice(2);
const chosen = mutations.filter((m) => asked.length === 0 || asked.includes(m.name));
const kept = process.env.FIREDRILL_BENCH_ROWS;
const rows: Row[] = [];
for (const mutation of chosen) {
  const row = await run(mutation);
  rows.push(row);
  if (kept !== undefined) appendFileSync(kept, `${JSON.stringify(row)}\n`);
  process.stderr.write(`${row.named ? 'named' : 'NOT NAMED'}  ${row.name}: ${row.said}\n`);
}
const all =
  kept === undefined
    ? rows
    : readFileSync(kept, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Row);
const table = all.map((r) => [
  r.name,
  r.verdict,
  String(r.code),
  r.named ? 'yes' : 'NO',
  r.seconds.toFixed(0),
  r.said,
]);
process.stdout.write(
  `${formatTable(['MUTATION', 'VERDICT', 'EXIT', 'NAMED', 'SECONDS', 'SAYS'], table)}\n`,
);
process.exitCode = rows.every((r) => r.named) ? 0 : 1;
