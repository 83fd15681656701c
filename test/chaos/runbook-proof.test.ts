/** A runbook held against its incident: what is asked, what is done, and what is said of it. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { program } from '../../base/paths.js';
import { startPageCommands } from '../../chaos/gameday/page-commands.js';
import { sectionOf, stepsFor } from '../../chaos/gameday/runbook-steps.js';
import type { Injection } from '../../chaos/runner/injection.js';
import { type PageSteps, RunbookProof } from '../../chaos/runner/runbook-proof.js';
import { ownScenarios, readScenarios } from '../../chaos/scenarios/read.js';
import type { System } from '../../chaos/system/model.js';
import { runbookText } from '../../runbooks/words.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

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
  // Those without: where a person has to choose (a network, a policy of retries, a collector).
  expect(withSteps.length).toBeGreaterThanOrEqual(10);
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

/** `up` falls under the fault, the command's output stays, and one query is refused. */
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
  await proof.ask();
  await proof.ask();
  fall();
  await proof.ask();
  let left = 0;
  const injection = { leaveToPage: () => void left++ } as unknown as Injection;
  const said: string[] = [];
  await proof.mitigate([injection], (command) => said.push(command));
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

test('a mitigation that was not tried has not ended anything', async () => {
  const { proof } = proofOf({ mitigation: [], open: ['kubectl delete pod POD'] });
  await proof.ask();
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
    response.end(JSON.stringify({ workloads, processes, controller: { process: 'controller' } }));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  closing.push(() => void server.close());
  const admin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const script = program('chaos/system/kubectl-stand-in');
  const kubectl = (...args: string[]): Promise<string> =>
    promisify(execFile)(process.execPath, [script, admin, ...args]).then(({ stdout }) => stdout);

  expect(await kubectl('-n', 'retail', 'get', 'pods')).toBe(
    'NAME READY STATUS\ncatalog-1 2/2 Running\ncatalog-2 1/2 Error\ncontroller 1/1 Running\n',
  );
  expect(await kubectl('-n', 'retail', 'rollout', 'undo', 'deploy/catalog')).toContain('catalog-2');
  await kubectl('-n', 'firedrill', 'rollout', 'restart', 'deploy/firedrill-controller');
  expect(asked.filter((call) => call.startsWith('POST'))).toEqual([
    'POST /restart/catalog-1',
    'POST /restart/catalog-1-proxy',
    'POST /restart/catalog-2',
    'POST /restart/catalog-2-proxy',
    'POST /restart/controller',
  ]);
  await expect(kubectl('delete', 'pod', 'nowhere')).rejects.toThrow('pod "nowhere" not found');
  await expect(kubectl('delete', 'namespace', 'retail')).rejects.toThrow(
    'not there in a drill of processes: kubectl delete namespace retail',
  );
});

test("a page's command ends with itself, whatever it leaves in the background", async () => {
  const commands = startPageCommands(undefined);
  closing.push(() => commands.stop());
  const away = 'process.stdout.write(String(process.pid)); setTimeout(() => undefined, 60_000)';
  const left = `setsid "${process.execPath}" -e '${away}' & sleep 0.5; echo done; exit 3`;
  const { code, output } = await commands.run(left);
  const pid = Number(/^\d+/.exec(output)?.[0]);
  closing.push(() => void process.kill(pid, 'SIGKILL'));
  expect([code, output]).toEqual([3, `${pid}done\n`]);
});
