/** A drill of an attached system: a server in this process, broken by a file in the drill's folder. */
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { makeFolder } from '../base/make-folder.js';

export async function attachedDrill(folder: string): Promise<{ close(): void }> {
  const counts = { ok: 0, failed: 0 };
  const server = createServer((request, response) => {
    if (request.url === '/metrics') {
      return response.end(
        '# TYPE http_requests_total counter\n' +
          `http_requests_total{code="200"} ${counts.ok}\n` +
          `http_requests_total{code="500"} ${counts.failed}\n`,
      );
    }
    const broken = existsSync(join(folder, 'broken'));
    counts[broken ? 'failed' : 'ok']++;
    return response.writeHead(broken ? 500 : 200).end('ok\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const name of ['scenarios', 'runbooks']) makeFolder(join(folder, name));
  for (const [name, text] of Object.entries(filesOf(url))) writeFileSync(join(folder, name), text);
  return { close: () => void server.close().closeAllConnections() };
}

const filesOf = (url: string): Record<string, string> => ({
  'firedrill.yaml': `apiVersion: firedrill.dev/v1
kind: Drill
name: attached
system:
  kind: attach
  url: ${url}
  services:
    server: { metrics: ${url}/metrics }
  faults:
    broken:
      title: the server fails every request
      inject: { command: [touch, broken], within: 5s }
      confirm: { command: [test, -e, broken], within: 5s }
      undo: { command: [rm, -f, broken], within: 5s }
rules: [rules.yaml]
alertmanager: alertmanager.yml
load: load.yaml
scenarios: [scenarios/broken.yaml]
`,
  'load.yaml': `apiVersion: firedrill.dev/v1
kind: Load
rate: 20
routes: [{ name: all, request: GET / }]
`,
  'rules.yaml': `groups:
  - name: server
    interval: 15s
    rules:
      - alert: ServerErrors
        expr: sum(rate(http_requests_total{code="500"}[5m])) / sum(rate(http_requests_total[5m])) > 0.1
        labels: { severity: page }
`,
  'alertmanager.yml': `route: { receiver: oncall, group_wait: 10s }
receivers: [{ name: oncall, webhook_configs: [{ url: 'http://127.0.0.1:9/oncall' }] }]
`,
  'runbooks/server.md': '# Server\n',
  'scenarios/broken.yaml': `apiVersion: firedrill.dev/v1
kind: Scenario
id: broken
title: the server fails
description: Every request fails, and somebody is told.
blastRadius: every request
runbook: ../runbooks/server.md
baseline: 6m
hypothesis:
  title: People are answered
  measures: [{ name: errors, client: errorRatio, atMost: 0.005 }]
faults:
  - { id: broken, kind: command, target: broken }
fault: { atMost: 20m }
recovery: 20m
expect:
  mustFire:
    - { alert: ServerErrors, severity: page, receiver: oncall, within: 10m }
abort:
  - { name: nothing is asked any more, client: requestsPerSecond, below: 1, for: 20m }
`,
});
