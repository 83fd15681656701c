/** The proof of a runbook: its questions, its commands, and its result. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { program } from '../../base/paths.js';
import { startPageCommands } from '../../chaos/gameday/page-commands.js';
import { sectionOf, stepsFor } from '../../chaos/gameday/runbook-steps.js';
import type { Firing } from '../../runbooks/record.js';
import type { Injection } from '../../chaos/runner/injection.js';
import { proveRunbook } from '../../chaos/runner/prove.js';
import type { ScenarioRun } from '../../chaos/runner/run-scenario.js';
import { type PageSteps, RunbookProof } from '../../chaos/runner/runbook-proof.js';
import { ownScenarios, readScenarios } from '../../chaos/scenarios/read.js';
import type { Scenario } from '../../chaos/scenarios/schema.js';
import type { System } from '../../chaos/system/model.js';
import { runbookText } from '../../runbooks/words.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const never = new AbortController().signal;

const workload = (name: string, service: string, port: number) => ({
  name,
  service,
  calls: [],
  proxy: `${name}-proxy`,
  ports: { app: port, proxyAdmin: port + 1 },
});

const workloads = [workload('catalog-1', 'catalog', 7001), workload('catalog-2', 'catalog', 7003)];

function system(): System {
  const description = {
    name: 'retail',
    namespace: 'retail',
    trustDomain: 'retail.local',
    folder: process.cwd(),
    workloads: [...workloads, workload('payment', 'payment', 7005)],
    processes: [],
  };
  return {
    description,
    controllerAdmin: 'http://127.0.0.1:7000',
    proxyAdmin: ({ ports }: { ports: { proxyAdmin?: number } }) =>
      `http://127.0.0.1:${ports.proxyAdmin}`,
  } as unknown as System;
}

test('most pages of our own scenarios hold commands that a program can follow as they stand', () => {
  const withSteps = readScenarios(ownScenarios()).filter(({ scenario }) => {
    const steps = stepsFor(scenario, system(), { window: '5m' });
    expect(steps?.page).toBe(scenario.runbook);
    expect((steps?.queries.length ?? 0) + (steps?.commands.length ?? 0)).toBeGreaterThan(1);
    return (steps?.mitigation.length ?? 0) > 0;
  });
  // The other pages have steps that a person must choose (a network, a policy of retries, a collector).
  expect(withSteps.length).toBeGreaterThanOrEqual(10);
});

test('the pods of the callers are moved where the network is slow, and nobody is named where none is known', () => {
  const [read] = readScenarios(['network-throttling']);
  const checkout = { ...workload('checkout', 'checkout', 7007), calls: ['payment'] };
  const known = system();
  known.description.workloads.push(checkout, { ...checkout, name: 'checkout-2' });
  expect(stepsFor(read!.scenario, known, { window: '5m' })?.mitigation).toEqual([
    'kubectl -n retail rollout restart deploy/checkout',
  ]);
  expect(stepsFor(read!.scenario, system(), { window: '5m' })).toMatchObject({
    mitigation: [],
    open: ['kubectl -n retail rollout restart CALLERS'],
  });
});

test('a section ends where the next begins', () => {
  const page = '# T\n\n## Diagnosis\n\none\n\n### 1. What?\n\ntwo\n\n## Mitigation\n\nthree\n';
  expect(sectionOf(page, 'Diagnosis')).toContain('two');
  expect(sectionOf(page, 'Diagnosis')).not.toContain('three');
  expect(sectionOf(page, 'Verify')).toBe('');
});

const steps = (more: Partial<PageSteps> = {}): PageSteps => ({
  page: 'killed-pod',
  queries: ['up', 'no_such('],
  commands: ['kubectl get pods'],
  mitigation: ['kubectl rollout restart deploy/catalog'],
  open: [],
  ...more,
});

/** `up` falls under the fault, the command's output does not change, and one query is refused. */
function proofOf(more: Partial<PageSteps> = {}) {
  let now = 0;
  let isDown = false;
  const proof = new RunbookProof({
    steps: steps(more),
    query: (expr) =>
      expr === 'up'
        ? Promise.resolve([{ labels: {}, value: isDown ? 0 : 1 }])
        : Promise.reject(new Error('refused')),
    run: () => Promise.resolve({ code: 0, output: 'catalog 2/2 Running\n' }),
    nowMs: () => (now += 500),
  });
  return {
    proof,
    fall: () => {
      isDown = true;
    },
  };
}

test('what differs, what was done, and when the symptom ended', async () => {
  const { proof, fall } = proofOf();
  await proof.ask(never);
  await proof.ask(never);
  fall();
  await proof.ask(never);
  let left = 0;
  const injection = { leaveToPage: () => void left++ } as unknown as Injection;
  const said: string[] = [];
  await proof.mitigate([injection], (command) => said.push(command), never);
  proof.ended();
  const { record } = proof;
  expect(left).toBe(1);
  expect(said).toEqual(['kubectl rollout restart deploy/catalog']);
  expect(record.diagnosis.map((d) => d.differs)).toEqual([true, false, false]);
  expect(record.diagnosis[1]?.why).toBe('refused');
  expect(record.mitigation.endedAfterMs).toBeGreaterThan(0);
  expect(runbookText(record)).toMatch(
    /^runbook killed-pod: 1 of 3 questions answered otherwise than before; followed, the symptom ended/,
  );
});

test("what the page let through is the page's, and what came before it is not", async () => {
  const { proof } = proofOf();
  const firing = (name: string, firedAtMs: number, receivedAtMs: number): Firing => ({
    name,
    labels: {},
    annotations: {},
    severity: 'page',
    firedAtMs,
    receivedAtMs,
  });
  const expected = (alert: string, more: object = {}) => ({
    alert,
    labels: {},
    severity: 'page',
    ...more,
  });
  const scenario = {
    expect: { mustFire: [expected('Cause'), expected('Hidden', { inhibitedBy: 'Cause' })] },
  } as unknown as Scenario;
  // The clock of this proof is at 500 when the page begins.
  await proof.mitigate([], () => undefined, never);
  const all = [
    firing('Cause', 100, 200),
    firing('Cause', 900, 950),
    firing('Hidden', 100, 300),
    firing('Hidden', 100, 700),
    firing('Other', 100, 700),
    firing('Restart', 600, 700),
  ];
  const left = proof.withoutItsOwn(all, scenario);
  expect(left.map((f) => [f.name, f.receivedAtMs])).toEqual([
    ['Cause', 200],
    ['Cause', 950],
    // Notified before: the inhibition did not work.
    ['Hidden', 300],
    ['Other', 700],
  ]);
  expect(proof.record.mitigation.pages).toEqual(['Hidden', 'Restart']);
});

test('a mitigation that was not tried has not ended anything', async () => {
  const { proof } = proofOf({ mitigation: [], open: ['kubectl delete pod POD'] });
  await proof.ask(never);
  proof.notTried('no command can be run as it stands');
  proof.ended();
  expect(proof.hasMitigation).toBe(false);
  expect(proof.record.mitigation).toEqual({ steps: [], why: 'no command can be run as it stands' });
  expect(proof.record.open).toEqual(['kubectl delete pod POD']);
});

test('kubectl stands for a cluster: pods are listed and made anew, the rest is refused by name', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const processes = [
      { name: 'catalog-1', pid: 4 },
      { name: 'catalog-1-proxy', pid: 5 },
      { name: 'catalog-2', pid: 6 },
      { name: 'catalog-2-proxy', pid: 0 },
      { name: 'controller', pid: 7 },
    ];
    const all = [...workloads, workload('payment', 'payment', 7005)];
    response.end(
      JSON.stringify({ workloads: all, processes, controller: { process: 'controller' } }),
    );
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  closing.push(() => void server.close());
  const admin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const script = program('chaos/system/kubectl-stand-in');
  const kubectl = (...args: string[]): Promise<string> =>
    promisify(execFile)(process.execPath, [script, admin, ...args]).then(({ stdout }) => stdout);

  expect(await kubectl('-n', 'retail', 'get', 'pods')).toBe(
    'NAME READY STATUS\ncatalog-1 2/2 Running\ncatalog-2 1/2 Error\npayment 0/2 Error\ncontroller 1/1 Running\n',
  );
  expect(await kubectl('-n', 'retail', 'rollout', 'undo', 'deploy/catalog')).toContain('catalog-2');
  await kubectl('-n', 'firedrill', 'rollout', 'restart', 'deploy/firedrill-controller');
  await kubectl('-n', 'retail', 'rollout', 'restart', 'deploy/payment', 'deployments/catalog');
  expect(asked.filter((call) => call.startsWith('POST'))).toEqual([
    'POST /restart/catalog-1',
    'POST /restart/catalog-1-proxy',
    'POST /restart/catalog-2',
    'POST /restart/catalog-2-proxy',
    'POST /restart/controller',
    'POST /restart/payment',
    'POST /restart/payment-proxy',
    'POST /restart/catalog-1',
    'POST /restart/catalog-1-proxy',
    'POST /restart/catalog-2',
    'POST /restart/catalog-2-proxy',
  ]);
  // An unknown name leaves the other deployments unchanged.
  const many = kubectl('rollout', 'restart', 'deploy/payment', 'deploy/nowhere');
  await expect(many).rejects.toThrow('deployment "nowhere" not found');
  expect(asked.filter((call) => call.startsWith('POST'))).toHaveLength(11);
  await expect(kubectl('rollout', 'restart')).rejects.toThrow('not there in a drill of processes');
  await expect(kubectl('delete', 'pod', 'nowhere')).rejects.toThrow('pod "nowhere" not found');
  await expect(kubectl('delete', 'namespace', 'retail')).rejects.toThrow(
    'not there in a drill of processes: kubectl delete namespace retail',
  );
});

test("a page's command ends with itself, whatever it leaves in the background", async () => {
  const commands = startPageCommands(undefined);
  closing.push(() => commands.stop());
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-left-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  const said = join(folder, 'said');
  const away = `printf %s $$; : > ${said}; exec sleep 60`;
  const left = `setsid sh -c '${away}' & until [ -e ${said} ]; do sleep 0.02; done; echo done; exit 3`;
  const { code, output } = await commands.run(left, never);
  const pid = Number(/^\d+/.exec(output)?.[0]);
  closing.push(() => void process.kill(pid, 'SIGKILL'));
  expect([code, output]).toEqual([3, `${pid}done\n`]);
});

/** A run with the real clock that is interrupted after `afterMs`. */
function interruptedRun(proof: RunbookProof, afterMs: number): ScenarioRun {
  const startMs = Date.now();
  return {
    context: { proof, progress: () => undefined },
    scenario: { runbook: 'killed-pod', recovery: 1000 },
    injections: [{ record: {}, leaveToPage: () => undefined }],
    say: () => undefined,
    async wait() {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (Date.now() - startMs >= afterMs) throw new Error('interrupted');
    },
  } as unknown as ScenarioRun;
}

const isThere = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test.each([
  ['question', { commands: ['echo $$ > PID; sleep 25', 'touch NEXT'], mitigation: [] }],
  ['step', { commands: [], mitigation: ['echo $$ > PID; sleep 25', 'touch NEXT'] }],
])('Ctrl-C ends the %s of a page that runs, and the next is not begun', async (_, more) => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-test-page-'));
  const commands = startPageCommands(undefined);
  closing.push(() => {
    commands.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const placed = (texts: string[]): string[] =>
    texts.map((t) => t.replace('PID', join(folder, 'pid')).replace('NEXT', join(folder, 'next')));
  const proof = new RunbookProof({
    steps: steps({
      queries: [],
      commands: placed(more.commands),
      mitigation: placed(more.mitigation),
    }),
    query: () => Promise.resolve([]),
    run: (command, signal) => commands.run(command, signal),
    nowMs: () => Date.now(),
  });
  const startMs = Date.now();
  await expect(proveRunbook(interruptedRun(proof, 500))).rejects.toThrow('interrupted');
  expect(Date.now() - startMs).toBeLessThan(10_000);
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
  expect(isThere(pid)).toBe(false);
  expect(existsSync(join(folder, 'next'))).toBe(false);
  expect(proof.record.mitigation.steps.map((s) => s.code)).toEqual(
    more.mitigation.length > 0 ? ['stopped'] : [],
  );
});
