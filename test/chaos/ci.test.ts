/**
 * The GitHub Action and the GitLab example, with their scripts run by a shell like a runner's, and the output of a CI.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { asset } from '../../base/paths.js';
import { jobSummary } from '../../runbooks/report/job-summary.js';
import { sarifOf } from '../../runbooks/report/sarif.js';
import { badGameDay, goodGameDay } from '../runbooks/fixture.js';
import { leaks, records } from '../runbooks/records.js';
import { drillFolder, firedrill } from './drill.js';

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

interface Step {
  name?: string;
  if?: string;
  run?: string;
  env?: Record<string, string>;
}
interface Action {
  inputs: Record<string, { default: string }>;
  runs: { steps: Step[] };
}

const root = asset('.').replace(/\/+$/, '');
const nobody = 65_534;

/** A runner's user has no root rights; if this test has them, it drops them. */
function asRunner(): string[] {
  if (process.getuid?.() !== 0) return [];
  const drop = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
  const can = spawnSync(drop[0] as string, [...drop.slice(1), 'test', '-r', `${root}/dist/cli.js`]);
  return can.status === 0 ? drop : [];
}

/** A runner's folder, with a running shop. */
async function workspace(): Promise<string> {
  const folder = drillFolder();
  cpSync(asset('test/chaos/fixtures/attach'), folder, { recursive: true });
  mkdirSync(join(folder, 'home'));
  const [runner] = [asRunner()];
  for (const name of ['', ...readdirSync(folder)]) {
    chmodSync(join(folder, name), 0o755);
    if (runner.length > 0) chownSync(join(folder, name), nobody, nobody);
  }
  const shop = spawn(process.execPath, ['shop.mjs', '0'], { cwd: folder });
  running.push(shop);
  const [port] = (await once(shop.stdout, 'data')) as [Buffer];
  const file = join(folder, 'firedrill.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('PORT', port.toString().trim()));
  return folder;
}

/** Runs a script like a runner: in a file, by bash, up to the first failure. */
function shell(folder: string, script: string, env: Record<string, string>) {
  const file = join(folder, 'step.sh');
  writeFileSync(file, script, { mode: 0o755 });
  const argv = [...asRunner(), 'bash', '--noprofile', '--norc', '-eo', 'pipefail', file];
  const own = { PATH: process.env.PATH ?? '', HOME: join(folder, 'home'), ...env };
  const options = { cwd: folder, env: own, encoding: 'utf8' as const, timeout: 110_000 };
  const { status, stdout, stderr } = spawnSync(argv[0] as string, argv.slice(1), options);
  return { status, output: `${stdout}${stderr}` };
}

test('the Action: its steps, one after the other, its outputs and its summary', async () => {
  const folder = await workspace();
  const action = parse(readFileSync(asset('action.yml'), 'utf8')) as Action;
  const inputs: Record<string, string> = {
    ...Object.fromEntries(Object.entries(action.inputs).map(([k, v]) => [k, v.default])),
    arguments: '--prometheus embedded --load embedded',
    tools: 'false',
  };
  const filled = (text: string): string =>
    text
      .replaceAll(/\$\{\{ inputs\.(\w+) \}\}/g, (_, name: string) => inputs[name] as string)
      .replaceAll('${{ github.action_path }}', root);
  const files = {
    GITHUB_STEP_SUMMARY: join(folder, 'summary'),
    GITHUB_OUTPUT: join(folder, 'out'),
  };
  for (const step of action.runs.steps) {
    if (step.run === undefined || step.if === "inputs.tools == 'true'") continue;
    // A user's input is never a part of a script.
    expect(step.run).not.toContain('${{');
    const env = Object.fromEntries(Object.entries(step.env ?? {}).map(([k, v]) => [k, filled(v)]));
    const { status, output } = shell(folder, step.run, { ...files, ...env });
    expect([step.name, output, status]).toEqual([step.name, output, 0]);
  }
  expect(readFileSync(files.GITHUB_OUTPUT, 'utf8')).toBe('report=./gameday-report\nverdict=PASS\n');
  expect(readFileSync(files.GITHUB_STEP_SUMMARY, 'utf8')).toMatch(/^## . PASS: Game day of shop\n/);
  const report = (name: string): string =>
    readFileSync(join(folder, 'gameday-report', name), 'utf8');
  expect(report('junit.xml')).toContain('failures="0"');
  expect(JSON.parse(report('results.sarif'))).toMatchObject({
    version: '2.1.0',
    runs: [{ results: [] }],
  });
  expect(existsSync(join(folder, 'broken'))).toBe(false);
  // A day that cannot begin has no summary, not even an earlier step's, and the step fails with the reason.
  const before = [files.GITHUB_OUTPUT, files.GITHUB_STEP_SUMMARY].map((f) =>
    readFileSync(f, 'utf8'),
  );
  const day = action.runs.steps.find((s) => s.name === 'Game day') as Step;
  const env = {
    ACTION: root,
    FOLDER: '.',
    SCENARIOS: 'no-such',
    ARGUMENTS: '',
    OUT: 'gameday-report',
    ...files,
  };
  const { status, output } = shell(folder, day.run as string, env);
  expect([status, output]).toEqual([2, expect.stringContaining("no scenario 'no-such'")]);
  expect(output).toContain('::error::the game day ended with 2');
  const after = [files.GITHUB_OUTPUT, files.GITHUB_STEP_SUMMARY].map((f) =>
    readFileSync(f, 'utf8'),
  );
  expect(after).toEqual(before);
}, 180_000);

test('the workflow to copy gives the Action what it takes, and needs no file of this checkout', () => {
  const text = readFileSync(asset('examples/ci/game-day.yaml'), 'utf8');
  const { inputs } = parse(readFileSync(asset('action.yml'), 'utf8')) as Action;
  const { jobs } = parse(text) as {
    jobs: { drill: { steps: { uses?: string; run?: string; with?: object }[] } };
  };
  const day = jobs.drill.steps.find(({ uses }) => uses?.includes('firedrill@'));
  expect(Object.keys(inputs)).toEqual(expect.arrayContaining(Object.keys(day?.with ?? {})));
  expect(jobs.drill.steps.filter(({ run }) => run !== undefined)).toEqual([]);
});

test('the lines for cron are lines of sh, with commands that there are', async () => {
  const lines = readFileSync(asset('examples/ci/crontab'), 'utf8').split('\n');
  const jobs = lines.filter((line) => /^\d/.test(line));
  expect(jobs).toHaveLength(2);
  for (const job of jobs) {
    // cron reads \\% as %, and a bare % as the end of the line.
    const command = job.split(' ').slice(5).join(' ').replaceAll('\\%', '%');
    expect(job.replaceAll('\\%', '')).not.toContain('%');
    expect(spawnSync('sh', ['-n', '-c', command]).status).toBe(0);
    for (const [, verb] of command.matchAll(/firedrill (gameday \w+)/g)) {
      const help = await firedrill(drillFolder(), ...(verb as string).split(' '), '--help').ended;
      expect([verb, help.code]).toEqual([verb, 0]);
      for (const [option] of command.matchAll(/--\w+/g)) {
        if (verb === 'gameday run') expect(help.output).toContain(option);
      }
    }
  }
});

test('the GitLab example is well formed, and its scripts are scripts', () => {
  const text = readFileSync(asset('examples/ci/gitlab-ci.yml'), 'utf8');
  const job = (parse(text) as Record<string, Record<string, string[]>>)['game-day']!;
  const scripts = ['before_script', 'script', 'after_script'].flatMap((name) => job[name]!);
  for (const script of scripts) {
    const { status, stderr } = spawnSync('bash', ['-n', '-c', script], { encoding: 'utf8' });
    expect([script, status, stderr]).toEqual([script, 0, '']);
  }
  const commands = scripts.join('\n').matchAll(/cli\.js" (\w+) (\w+)/g);
  expect([...commands].map((m) => `${m[1]} ${m[2]}`)).toEqual([
    'tools install',
    'gameday run',
    'gameday recover',
  ]);
});

test('findings are at their scenarios, each with a rule and the same fingerprint each time', () => {
  const sarif = sarifOf(badGameDay(), '/') as {
    runs: {
      results: {
        ruleId: string;
        level: string;
        message: { text: string };
        partialFingerprints: { finding: string };
        locations: unknown[];
      }[];
      tool: { driver: { rules: { id: string }[] } };
    }[];
  };
  const [run] = sarif.runs;
  const results = run!.results;
  expect(results.length).toBeGreaterThan(1);
  const ids = results.map((r) => r.partialFingerprints.finding);
  expect(new Set(ids).size).toBe(ids.length);
  const rules = run!.tool.driver.rules.map((r) => r.id);
  expect(results.every((r) => rules.includes(r.ruleId))).toBe(true);
  expect(results.map((r) => r.ruleId)).toContain('unexpected');
  expect((sarifOf(goodGameDay()) as typeof sarif).runs[0]!.results).toEqual([]);
});

test('the summary says what failed first, and of any record is whole', () => {
  expect(jobSummary(badGameDay()).split('\n')[0]).toMatch(/^## . ABORTED: /);
  fc.assert(
    fc.property(records, (record) => {
      // Within code, a tag is plain text.
      const text = jobSummary(record).replaceAll(/`[^`]+`/g, '');
      expect(text).not.toMatch(leaks);
      expect(text).not.toMatch(/(?<!\\)<(script|img)/);
      JSON.stringify(sarifOf(record));
    }),
    { numRuns: 50 },
  );
});
