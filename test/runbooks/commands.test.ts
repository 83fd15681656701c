/** The verbs on the command line. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { program } from '../../base/paths.js';
import { gameDayFiles } from '../../runbooks/report/files.js';
import { goodGameDay } from './fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-runbooks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
for (const name of ['record.json', 'result.json']) {
  writeFileSync(join(folder, name), gameDayFiles(goodGameDay()).get(name) as string);
}

function firedrill(args: string[], input = '') {
  const run = spawnSync(process.execPath, [program('cli'), ...args], {
    cwd: folder,
    encoding: 'utf8',
    input,
  });
  return { status: run.status, out: run.stdout, err: run.stderr };
}

test('list, by kind and as JSON', () => {
  expect(firedrill(['runbook', 'list', '--kind', 'playbook']).out).toContain('major-incident');
  const list = JSON.parse(firedrill(['runbook', 'list', '--format', 'json']).out) as unknown[];
  expect(list.length).toBeGreaterThan(50);
  expect(firedrill(['runbook', 'list', '--kind', 'x'])).toMatchObject({
    status: 2,
    err: expect.stringMatching(/^--kind x; expected one of alert, slo, failure, playbook\n/),
  });
});

test('show, and what is offered for a name that is not quite right', () => {
  expect(firedrill(['runbook', 'show', 'certificate-expiry']).out).toContain(
    '# certificate-expiry',
  );
  for (const [name, told] of [
    ['MeshRetryStrom', ': did you mean MeshRetryStorm?'],
    ['Retry', '; expected MeshRetryRateHigh, MeshRetryStorm, retry-storm'],
  ]) {
    const err = `no page '${name}'${told}\n`;
    expect(firedrill(['runbook', 'show', name as string])).toMatchObject({ status: 2, err });
  }
});

test('render from standard input to Markdown, and to a page that opens offline', () => {
  const alert = JSON.stringify([
    { labels: { alertname: 'PaymentLatency', slo: 'payment-latency', service: 'payment' } },
  ]);
  const { status, out } = firedrill(['runbook', 'render', 'PaymentLatency', '--facts', '-'], alert);
  expect(status).toBe(0);
  expect(out).toContain('slo:current_burn_rate:ratio{slo=~"payment-latency"}');
  const args = ['runbook', 'render', 'PaymentLatency', '--facts', '-', '-o', 'page.html'];
  expect(firedrill(args, alert).status).toBe(0);
  const html = readFileSync(join(folder, 'page.html'), 'utf8');
  expect(html).toContain('<h1>PaymentLatency: ');
  expect(html).not.toMatch(/<script|<link|src=/);
  expect(firedrill(['runbook', 'render', 'PaymentLatency', '--facts', 'none.json'])).toMatchObject({
    status: 2,
    err: 'none.json: no such file\n',
  });
});

test('lint is green', () => {
  expect(firedrill(['runbook', 'lint'])).toMatchObject({ status: 0, err: '' });
  expect(firedrill(['runbook', 'lint', '--prometheus', 'http://127.0.0.1:9'])).toMatchObject({
    status: 5,
    err: expect.stringMatching(/^Prometheus at http:\/\/127\.0\.0\.1:9 cannot be reached/),
  });
});

test('rules whose alert has no page, no address, or the wrong one, are named with their place', () => {
  const rule = (alert: string, url: string) =>
    `      - alert: ${alert}\n        expr: up\n        annotations: { ${url} }\n`;
  writeFileSync(
    join(folder, 'rules.yaml'),
    'groups:\n  - name: x\n    rules:\n' +
      rule('MeshRetryStorm', 'runbook_url: https://x.example/runbooks/MeshRetryStorm') +
      rule('MeshRetryRateHigh', 'runbook_url: https://x.example/runbooks/MeshRetryStorm') +
      rule('MeshProxyDown', 'summary: x') +
      rule('Unheard', 'runbook_url: https://x.example/Unheard'),
  );
  const run = firedrill(['runbook', 'lint', '--rules', 'rules.yaml']);
  expect(run.status).toBe(1);
  expect(run.out).toMatch(
    /^rules\.yaml:9:\d+: the runbook_url of MeshRetryRateHigh leads to 'MeshRetryStorm'/m,
  );
  expect(run.out).toMatch(/^rules\.yaml:10:\d+: the alert MeshProxyDown has no runbook_url/m);
  expect(run.out).toMatch(/^rules\.yaml:13:\d+: the alert Unheard has no page/m);
});

test('the rules that we make lead to pages that we publish, and links between these hold', () => {
  expect(
    firedrill(['alerts', 'generate', '-o', 'mesh.yaml', '--runbook-base', 'https://x.example/r'])
      .status,
  ).toBe(0);
  expect(firedrill(['runbook', 'lint', '--rules', 'mesh.yaml'])).toMatchObject({ status: 0 });
  expect(firedrill(['runbook', 'publish', '-o', 'site'])).toMatchObject({ status: 0 });
  const names = readdirSync(join(folder, 'site'), { recursive: true, encoding: 'utf8' });
  const pages = names.filter((n) => n.endsWith('index.html'));
  expect(pages.length).toBeGreaterThan(60);
  for (const page of pages) {
    const html = readFileSync(join(folder, 'site', page), 'utf8');
    expect(html).not.toMatch(/<script|<link|src=|\.md"/);
    for (const [, target] of html.matchAll(/href="([^"]+)"/g)) {
      const file = join(folder, 'site', page, '..', target as string, 'index.html');
      expect(existsSync(file), `${page}: ${target}`).toBe(true);
    }
  }
});

test("the alerts of SLOs lead to the page of all SLOs, or each to its own that asks the SLO's events", () => {
  writeFileSync(
    join(folder, 'bill.yaml'),
    `apiVersion: firedrill.dev/v1
service: billing
owner: money
slos:
  - name: invoices
    objective: 99
    sli: { events: { good: 'jobs_done_total{outcome="ok"}', total: jobs_done_total } }
`,
  );
  const generate = (...flags: string[]) =>
    firedrill(['slo', 'generate', '-i', 'bill.yaml', '-o', 'bill-rules.yaml', ...flags]).status;
  const lint = (...flags: string[]) =>
    firedrill(['runbook', 'lint', '--rules', 'bill-rules.yaml', ...flags]);
  expect(generate('--runbook-base', 'https://x.example/r/')).toBe(0);
  expect(readFileSync(join(folder, 'bill-rules.yaml'), 'utf8')).toContain(
    'runbook_url: "https://x.example/r/SloNoData"',
  );
  expect(lint()).toMatchObject({ status: 0 });
  expect(generate('--runbook-url', 'https://x.example/r/{{alert}}')).toBe(0);
  expect(lint().out).toMatch(
    /the runbook_url of BillingInvoicesNoData leads to 'BillingInvoicesNo/,
  );
  expect(lint('-i', 'bill.yaml')).toMatchObject({ status: 0 });
  expect(firedrill(['runbook', 'publish', '-o', 'own', '-i', 'bill.yaml']).status).toBe(0);
  const page = (name: string): string =>
    readFileSync(join(folder, 'own', name, 'index.html'), 'utf8');
  expect(page('BillingInvoices')).toContain('pages at 3x over 1h and 5m, or 6x over 6h and 30m');
  expect(page('BillingInvoices')).toContain(
    'rate(jobs_done_total[5m]) unless rate(jobs_done_total{outcome=',
  );
  expect(page('BillingInvoices')).not.toContain('response_total');
  expect(page('BillingInvoicesNoData')).toContain('count by (job) (jobs_done_total)');
  expect(page('.')).toContain('<a href="BillingInvoicesNoData/">');
});

test('queries that a Prometheus refuses or answers with nothing are told apart', async () => {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const refused = body.includes('propagation_oldest');
      const answer = refused
        ? { status: 'error', error: 'too many samples' }
        : { status: 'success', data: { result: [] } };
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [program('cli'), 'runbook', 'lint', '--prometheus', url]);
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const status = await new Promise((resolve) => child.on('close', resolve));
  server.close();
  expect(status).toBe(1);
  expect(out).toMatch(/^MeshConfigPropagationSlow: .*too many samples/m);
  expect(out).toMatch(/^MeshRetryStorm: returns nothing: topk\(5, /m);
});

test('a postmortem is drafted from a folder, a result or a record, and is not finished', () => {
  for (const path of ['.', 'result.json', 'record.json']) {
    expect(firedrill(['postmortem', 'draft', '--result', path]).out).toContain('## Root causes');
  }
  const one = ['postmortem', 'draft', '--result', '.', '--scenario', 'retry-storm', '-o', 'p.md'];
  expect(firedrill(one).status).toBe(0);
  expect(readFileSync(join(folder, 'p.md'), 'utf8')).toContain(
    '# Postmortem: Retries feed an overload',
  );
  const lint = firedrill(['postmortem', 'lint', 'p.md']);
  expect(lint.status).toBe(1);
  expect(lint.out).toContain('p.md:5:3: it is still a draft; expected Status: reviewed');
  expect(firedrill(['postmortem', 'draft', '--result', '.', '--scenario', 'x'])).toMatchObject({
    status: 2,
    err: "the game day had no scenario 'x'; expected certificate-expiry, control-plane-outage, retry-storm\n",
  });
  writeFileSync(join(folder, 'bad.json'), '{"version":1}');
  expect(firedrill(['postmortem', 'draft', '--result', 'bad.json'])).toMatchObject({ status: 2 });
});

test.each(['runbook', 'postmortem'])('the verbs of %s say by example how they are used', (verb) => {
  const listed = firedrill([verb, '--help']).out.split('Commands:')[1] ?? '';
  const names = [...listed.matchAll(/^ {2}([a-z]+)/gm)].map((m) => m[1] as string);
  for (const name of names.filter((n) => n !== 'help')) {
    expect(firedrill([verb, name, '--help']).out).toMatch(/Examples?:\n {2}.*firedrill/);
  }
});
