/**
 * The files that `firedrill init` writes beside a firedrill.yaml, so that the first drill has a fault and a receiver: a
 * load, two alerts on callers' experience, and a scenario for each call. Users are meant to change all of them.
 */
export interface StarterService {
  name: string;
  calls: readonly string[];
}

export interface StarterFile {
  /** Relative to the drill's folder. */
  path: string;
  text: string;
}

/** More calls would make the first drill long; a user can copy the scenario for the others. */
const mostCalls = 4;

export function starterFiles(services: readonly StarterService[], entry: string): StarterFile[] {
  const calls = services.flatMap(({ name, calls }) => calls.map((to) => ({ from: name, to })));
  return [
    { path: 'load.yaml', text: loadText },
    { path: 'rules/callers.yaml', text: rulesText },
    { path: 'runbooks/callers-fail.md', text: runbookText },
    {
      path: `scenarios/${entry}-killed.yaml`,
      text: scenarioText({
        id: `${entry}-killed`,
        title: `${entry} is killed`,
        description: `${entry} ends without a word. It is started again when the fault is rolled back.`,
        fault: `{ id: gone, kind: kill, target: ${entry} }`,
      }),
    },
    ...calls.slice(0, mostCalls).map(({ from, to }) => ({
      path: `scenarios/${from}-without-${to}.yaml`,
      text: scenarioText({
        id: `${from}-without-${to}`,
        title: `${from} cannot reach ${to}`,
        description:
          `Connections from ${from} to ${to} are cut and refused. ` +
          'If callers are to be served all the same, move CallersFail to mustNotFire.',
        fault: `{ id: cut, kind: cut, target: ${from}/${to} }`,
      }),
    })),
  ];
}

const loadText = `# What callers send to the entry; chaos/load/README.md has all fields. A k6 script will do too.
apiVersion: firedrill.dev/v1
kind: Load
rate: 20 # requests a second
timeout: 2s
routes:
  - name: home
    request: GET /
    # expect: { status: 200, body: { contains: ok } } # default: any status below 400
`;

const rulesText = `# Alerts by what callers see: no metric of yours is needed. Put your own rule files beside it.
groups:
  - name: callers
    interval: 1m
    rules:
      - alert: CallersFail
        expr: |
          sum(rate(firedrill_client_requests_total{outcome!="expected"}[5m]))
            / sum(rate(firedrill_client_requests_total[5m])) > 0.05
        for: 2m
        labels: { severity: page }
        annotations: { summary: '{{ $value | humanizePercentage }} of the requests fail at their callers.' }
      - alert: CallersWait
        expr: |
          histogram_quantile(0.95, sum by (le) (rate(firedrill_client_request_duration_seconds_bucket[5m]))) > 1
        for: 2m
        labels: { severity: ticket }
        annotations: { summary: 'One request in twenty takes longer than a second.' }
`;

const runbookText = `# CallersFail

## What it means

More than one request in twenty fails at those who call the entry.

## Diagnose

1. Which service fails: its log, and whether it runs.
2. Which of its calls fails: each has a relay that counts.

## Mitigate

1. Start again whatever has ended.
2. Roll back the last change.
`;

const scenarioText = (s: {
  id: string;
  title: string;
  description: string;
  fault: string;
}): string => `apiVersion: firedrill.dev/v1
kind: Scenario
id: ${s.id}
title: ${s.title}
description: >-
  ${s.description}
blastRadius: Everybody who calls the entry, for some minutes.
runbook: ../runbooks/callers-fail.md
baseline: 12m
hypothesis:
  title: Callers are served
  measures:
    - { name: errors at the client, client: errorRatio, atMost: 0.02 }
faults:
  - ${s.fault}
fault: { atMost: 40m } # it ends once every expected alert was received
recovery: 120m
expect:
  mustFire:
    - { alert: CallersFail, severity: page, within: 24m, resolveWithin: 100m }
  mayFire:
    - { alert: CallersWait, why: a request that hangs is late before it fails }
abort:
  - { name: the load has stopped, client: requestsPerSecond, below: 1, for: 20m }
`;
