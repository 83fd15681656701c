/** The steps of a scenario's runbook that a program can run: the page is rendered with the drill's facts. */
import { existsSync } from 'node:fs';
import { stepsOf } from '../../runbooks/own/walk.js';
import { readPages } from '../../runbooks/pages.js';
import { queriesOf, renderPage } from '../../runbooks/render.js';
import type { RunbookFacts } from '../../runbooks/facts.js';
import type { Watch } from '../../alerts/watch/index.js';
import type { Clock } from '../../base/clock.js';
import { type PageSteps, RunbookProof } from '../runner/runbook-proof.js';
import type { Scenario } from '../scenarios/schema.js';
import type { System } from '../system/model.js';
import { startPageCommands } from './page-commands.js';

interface ProofWorld {
  system: System;
  watch: Pick<Watch, 'query'>;
  clock: Clock;
  shared: Pick<RunbookFacts, 'window' | 'slos'>;
}

/** Proves the scenario's runbook; undefined if that is no built-in page. */
export function proofFor(
  scenario: Scenario,
  { system, watch, clock, shared }: ProofWorld,
): { proof: RunbookProof; stop(): void } | undefined {
  const steps = stepsFor(scenario, system, shared);
  if (!steps) return undefined;
  const commands = startPageCommands(system.description.folder && system.admin);
  const proof = new RunbookProof({
    steps,
    query: (expr) => watch.query(expr),
    run: (command, signal) => commands.run(command, signal),
    nowMs: () => clock.nowMs(),
  });
  return { proof, stop: () => commands.stop() };
}

/** Undefined if the scenario's runbook is no built-in page. */
export function stepsFor(
  scenario: Scenario,
  system: System,
  shared: Pick<RunbookFacts, 'prometheus' | 'window' | 'slos'>,
): PageSteps | undefined {
  const page = readPages().get(scenario.runbook);
  if (!page) return undefined;
  const text = renderPage(page, { ...factsOf(scenario, system), ...shared });
  const diagnosis = sectionOf(text, 'Diagnosis');
  const asked = stepsOf(diagnosis);
  const done = stepsOf(sectionOf(text, 'Mitigation'));
  const closed = (steps: typeof asked): string[] =>
    steps.filter((s) => s.open.length === 0).map((s) => s.command);
  return {
    page: page.name,
    queries: queriesOf(diagnosis),
    commands: closed(asked),
    mitigation: closed(done),
    open: [...asked, ...done].filter((s) => s.open.length > 0).map((s) => s.command),
  };
}

/** From one heading of the second level to the next. */
export function sectionOf(markdown: string, title: string): string {
  const parts = markdown.split(/^## +/m);
  return parts.find((part) => part.split('\n', 1)[0]?.trim() === title) ?? '';
}

/** Facts known before the first fault: the service that the page is about, and the addresses to ask. */
function factsOf(scenario: Scenario, system: System): RunbookFacts {
  const { description } = system;
  const [wanted] = scenario.expect.mustFire;
  const struck = scenario.faults
    .map(({ target }) => target)
    .flatMap((name) =>
      description.workloads.filter((w) => [w.name, w.service, w.proxy].includes(name)),
    )
    .map((w) => w.service);
  const [named] = Object.entries(wanted?.labels ?? {})
    .filter(([label]) => label === 'dst' || label === 'service')
    .map(([, value]) => value.split('.')[0]);
  const service = named ?? struck[0];
  const callers = description.workloads
    .filter((w) => service !== undefined && w.calls.includes(service))
    .map((w) => w.service);
  const { folder } = description;
  return {
    ...(wanted && { alert: wanted.alert, severity: wanted.severity, labels: wanted.labels }),
    ...(service !== undefined && { service, workload: service }),
    callers: [...new Set(callers)],
    namespace: description.namespace,
    proxies: description.workloads.flatMap((w) => {
      const admin = system.proxyAdmin(w);
      return admin === undefined ? [] : [admin.replace(/^https?:\/\//, '')];
    }),
    ...(system.controllerAdmin !== undefined && { controller: system.controllerAdmin }),
    ...(description.trustDomain !== undefined && { trustDomain: description.trustDomain }),
    ...(folder !== undefined && existsSync(`${folder}/pki`) && { pki: `${folder}/pki` }),
    ...(folder !== undefined && existsSync(`${folder}/config`) && { config: `${folder}/config` }),
  };
}
