/**
 * The notifications of `alerts diff` beside those of Alertmanager's own code on a simulated clock: 200 random
 * configurations and stories. Needs Go. Run by `npm run bench:notifications`.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../base/paths.js';
import { keyOf, notificationCase, type Told } from './notification-cases.js';

const version = 'v0.34.1';
const count = 200;
const seed = Number(process.env.FIREDRILL_SEED ?? 1);

const folder = mkdtempSync(join(tmpdir(), 'firedrill-notifications-'));
const cases = Array.from({ length: count }, (_, n) => notificationCase(seed, n));
const go = (...words: string[]): void => {
  const env = { ...process.env, GOFLAGS: '-mod=mod -buildvcs=false' };
  execFileSync('go', words, { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] });
};

/** Sorts notifications of one moment into a fixed order. */
const sorted = (told: readonly Told[]): string[] =>
  told.map((t) => `${String(t.atMs).padStart(9)} ${t.receiver} ${t.firing.join(' ')}`).sort();

let theirs: Told[][];
try {
  copyFileSync(
    join(packageRoot, 'bench/alertmanager/notifications_test.go'),
    join(folder, 'notifications_test.go'),
  );
  writeFileSync(join(folder, 'cases.json'), JSON.stringify(cases));
  go('mod', 'init', 'notifications');
  go('get', `github.com/prometheus/alertmanager@${version}`);
  go('test', '-count=1', '.');
  const told = JSON.parse(readFileSync(join(folder, 'told.json'), 'utf8')) as {
    atMs: number;
    receiver: string;
    firing: Record<string, string>[];
  }[][];
  theirs = told.map((one) => one.map((t) => ({ ...t, firing: t.firing.map(keyOf).sort() })));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

let [equal, all] = [0, 0];
for (const [n, { told, config }] of cases.entries()) {
  const [own, other] = [sorted(told), sorted(theirs[n] ?? [])];
  all += other.length;
  const at = other.findIndex((line, i) => line !== own[i]);
  if (at < 0 && own.length === other.length) {
    equal += 1;
    continue;
  }
  const i = at < 0 ? other.length : at;
  console.error(`case ${n}: told ${own.length}, Alertmanager ${other.length}; first differ:`);
  console.error(`  ours  ${own[i]}\n  other ${other[i]}`);
  if (process.env.FIREDRILL_DEBUG === '1') console.error(config);
}
const text = `# Notifications of \`alerts diff\` beside Alertmanager's own

${count} random configurations (trees of routes, \`continue\`, grouping, waits, intervals and repeats, inhibition,
times at which a route is muted or active) and stories of twelve hours, seed ${seed}. Alertmanager's dispatcher,
inhibitor and stages (module ${version}) run on a virtual clock; they are sent what Prometheus's rule manager sends,
again and again, and a receiver answers after 100 ms. Equal is a case whose notifications of something firing have the
same moments to the millisecond, receivers and alerts.

| | |
| --- | ---: |
| equal cases | ${equal} of ${count} |
| notifications in all | ${all} |

Repeat with \`npm run bench:notifications\`.
`;
console.log(text);
writeFileSync(join(packageRoot, 'bench/results/notifications.md'), text);
if (equal < count) process.exitCode = 1;
