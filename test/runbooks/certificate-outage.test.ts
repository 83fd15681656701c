/** The walk-through in examples/certificate-outage: each file is the program's output for the earlier files. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { libraryGroups } from '../../alerts/index.js';
import { asset, program } from '../../base/paths.js';
import { styleFor } from '../../base/terminal.js';
import { shopProfile } from '../../examples/retail/load.js';
import { readScenarios } from '../../chaos/scenarios/read.js';
import { draftPostmortem } from '../../runbooks/postmortem/draft.js';
import { lintPostmortem } from '../../runbooks/postmortem/lint.js';
import { readRecord } from '../../runbooks/record-schema.js';
import { firedRunbooks, type SharedFacts } from '../../runbooks/report/files.js';
import { terminalSummary } from '../../runbooks/report/terminal.js';
import { allDashboards } from '../../slo/dashboards/dashboards.js';
import { grafanaJson } from '../../slo/dashboards/grafana.js';
import { compileSlos, defaultStepMs, groupsText, readSlos } from '../../slo/index.js';

const folder = asset('examples/certificate-outage');
const path = (name: string): string => join(folder, name);
const plain = styleFor({ isTTY: false } as NodeJS.WriteStream);

const slos = readSlos([path('01-slo.yaml')]);
const record = readRecord(path('record.json'));
const runbook = 'MeshCertificateRenewalOverdue';

/** The game day's facts for runbooks outside of the record, by its processes. */
function shared(): SharedFacts {
  const { processes } = record.system;
  const admins = processes
    .filter((p) => p.kind === 'proxy')
    .map((p) => `127.0.0.1:${p.ports.admin}`);
  const controller = processes.find((p) => p.kind === 'controller')?.ports.admin;
  return {
    slos: '01-slo.yaml',
    proxies: admins,
    controller: `http://127.0.0.1:${controller}`,
    window: '1s250ms',
  };
}

const made: Record<string, () => string> = {
  '02-rules.yaml': () =>
    '# The SLO of 01-slo.yaml, and the library on certificates.\n' +
    groupsText([
      ...compileSlos(slos),
      ...libraryGroups().filter((g) => g.name === 'mesh-certificates'),
    ]),
  '03-dashboard.json': () => {
    const found = allDashboards(slos, defaultStepMs).find((d) => d.uid.includes('availability'));
    if (!found) throw new Error('no dashboard of the SLO');
    return `${grafanaJson(found).trim()}\n`;
  },
  '05-load.json': () => `${JSON.stringify(shopProfile('http://web.retail'), undefined, 2)}\n`,
  '06-chaos.yaml': () => readFileSync(asset('chaos/scenarios/certificate-expiry.yaml'), 'utf8'),
  '07-detection.txt': () => terminalSummary(record, plain).trimStart(),
  '08-runbook.md': () => firedRunbooks(record, shared()).get(runbook) ?? '',
  '09-postmortem.md': () => draftPostmortem(record, { scenario: 'certificate-expiry' }),
};

test.each(Object.keys(made))('%s is what the program makes', (name) => {
  const text = (made[name] as () => string)();
  if (process.env.UPDATE === '1') writeFileSync(path(name), text);
  expect(readFileSync(path(name), 'utf8')).toBe(text);
});

test('the nine files are there, and the README tells of each', () => {
  const readme = readFileSync(path('README.md'), 'utf8');
  const names = ['01-slo.yaml', ...Object.keys(made), '04-routing.yaml'];
  for (const name of names) {
    expect(existsSync(path(name)), name).toBe(true);
    expect(readme).toContain(`](${name})`);
  }
  expect(names).toHaveLength(9);
});

test('the scenario can be read, and the record is of a run that passed', () => {
  expect(readScenarios([path('06-chaos.yaml')])[0]?.scenario.id).toBe('certificate-expiry');
  expect(record.verdict).toBe('PASS');
  expect(record.scenarios.map((s) => s.id)).toEqual(['certificate-expiry']);
  expect(record.measurement.kind).toBe('prometheus');
});

test('the routing declaration keeps its own tests', () => {
  const run = spawnSync(
    process.execPath,
    [program('cli'), 'alerts', 'routes', 'test', '-f', path('04-routing.yaml')],
    {
      encoding: 'utf8',
    },
  );
  expect([run.status, run.stderr]).toEqual([0, '']);
});

test('the draft asks for what only people know', () => {
  const problems = lintPostmortem('09-postmortem.md', (made['09-postmortem.md'] as () => string)());
  expect(problems.length).toBeGreaterThan(5);
  expect(problems.every((p) => !p.message.includes('blames'))).toBe(true);
});
