/** `firedrill alerts diff` over 1,000 alerts and 30 days: time, memory. Run by `npm run bench:change`. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChangeReport } from '../alerts/change/compare.js';
import { packageRoot, program } from '../base/paths.js';
import { seededRandom } from '../base/random.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-change-'));
const services = 50;
const minutes = 30 * 24 * 60;

/** Two counters for each service, 600 requests a minute, with intermittent failures. */
function writeHistory(file: string): void {
  const random = seededRandom(7);
  const names = Array.from({ length: services }, (_, i) =>
    ['200', '500'].map((code) => `"req_total{svc=""s${i}"",code=""${code}""}"`),
  );
  const totals = new Float64Array(2 * services);
  const failing = new Float64Array(services);
  const lines = [`time,${names.flat().join(',')}`];
  for (let minute = 0; minute < minutes; minute++) {
    for (let i = 0; i < services; i++) {
      if (random.next() < 0.0005) failing[i] = random.next() * 18;
      if (random.next() < 0.02) failing[i] = 0;
      totals[2 * i]! += 600;
      totals[2 * i + 1]! += Math.floor((failing[i] as number) + random.next() * 2);
    }
    lines.push(`${1_700_000_040 + minute * 60},${totals.join(',')}`);
  }
  writeFileSync(file, `${lines.join('\n')}\n`);
}

function writeSide(side: 'old' | 'new'): void {
  mkdirSync(join(folder, side));
  const rules = Array.from({ length: 1000 }, (_, a) => {
    const svc = `svc="s${a % services}"`;
    const window = ['5m', '15m', '30m', '1h', '2h'][Math.floor(a / services) % 5] as string;
    const stricter = side === 'new' && a % 10 === 0 ? 1.5 : 1;
    const bound = ((0.002 + 0.0005 * (a % 17)) * stricter).toFixed(5);
    const rate = (more: string): string =>
      `sum by (svc) (rate(req_total{${svc}${more}}[${window}]))`;
    return {
      alert: `A${a}`,
      expr: `${rate(',code="500"')} / ${rate('')} > ${bound}`,
      for: `${a % 7}m`,
      labels: { severity: a % 3 ? 'ticket' : 'page', team: `t${a % 9}` },
    };
  });
  const groups = [{ name: 'g', interval: '1m', rules }];
  writeFileSync(join(folder, side, 'rules.yaml'), JSON.stringify({ groups }));
  const teams = Array.from({ length: 9 }, (_, i) => `t${i}`);
  const hook = [{ url: 'http://pager.example/' }];
  const config = {
    route: {
      receiver: 'all',
      group_by: ['alertname', 'team'],
      routes: teams.map((team) => ({ matchers: [`team="${team}"`], receiver: team })),
    },
    inhibit_rules: [
      {
        source_matchers: ['severity="page"'],
        target_matchers: ['severity="ticket"'],
        equal: side === 'new' ? ['svc', 'team'] : ['svc'],
      },
    ],
    receivers: ['all', ...teams].map((name) => ({ name, webhook_configs: hook })),
  };
  writeFileSync(join(folder, side, 'alertmanager.yml'), JSON.stringify(config));
}

try {
  const history = join(folder, 'history.csv');
  writeHistory(history);
  writeSide('old');
  writeSide('new');
  const out = join(folder, 'report.json');
  const beganMs = performance.now();
  const sides = [join(folder, 'old'), join(folder, 'new')];
  const run = spawnSync(
    '/usr/bin/time',
    ['-f', '%U %S %M', process.execPath, program('cli'), 'alerts', 'diff', ...sides].concat([
      '--history',
      history,
      '--from',
      '31d',
      '--format',
      'json',
      '-o',
      out,
    ]),
  );
  const wall = (performance.now() - beganMs) / 1000;
  if (run.status !== 0) throw new Error(run.stderr.toString());
  const last = run.stderr.toString().trim().split('\n').at(-1) as string;
  const [user, system, kilobytes] = last.split(' ').map(Number) as [number, number, number];
  const report = JSON.parse(readFileSync(out, 'utf8')) as ChangeReport;
  const { totals, rules, routing } = report;
  const changed = rules.filter((r) => r.change !== 'same').length;
  const text = `# A change report over 1,000 alerts and 30 days

1,000 alerts over ${services * 2} counters at a minute; ${changed} thresholds and one inhibition edited.
Before: ${totals.old.fired} firings, ${totals.old.told} notifications;
after: ${totals.new.fired} and ${totals.new.told}.
${routing.length} changes of routing, each told by itself.

| | measured | bar |
| --- | ---: | ---: |
| wall | ${wall.toFixed(1)} s | 60 s |
| CPU, user and system | ${(user + system).toFixed(1)} s | |
| peak memory | ${(kilobytes / 1024).toFixed(0)} MB | 1,024 MB |

${cpus().length} cores. Repeat with \`npm run bench:change\`.
`;
  writeFileSync(join(packageRoot, 'bench/results/change-report.md'), text);
  process.stdout.write(text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
