/**
 * Checks whether a scenario can work in its system: every name exists, every time fits, and something is expected.
 * Without the check, a typo costs a drill, and sometimes gives a green verdict over nothing.
 */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Problem } from '../../base/errors.js';
import type { At, Path } from '../../base/yaml.js';
import { formatDurationMs } from '../../base/duration.js';
import { faultKind } from '../faults/kinds.js';
import { alertProblems } from './check-alerts.js';
import { claimProblems } from './check-claims.js';
import { unknownName } from './meant.js';
import type { ReadScenario } from './read.js';
import type { Scenario, ScenarioFault } from './schema.js';
import { targetsOf, type World } from './world.js';

/** Returns the problems in the order of their places; empty if the scenario can run. */
export function checkScenario({ scenario, document }: ReadScenario, world: World): Problem[] {
  const problems: Problem[] = [];
  const at: At = (path, message, expected) =>
    void problems.push({
      place: document.placeOf(path),
      message,
      ...(expected !== undefined && { expected }),
    });
  alertProblems(scenario, world, at);
  for (const [path, faults] of faultLists(scenario))
    faultProblems(faults, path, scenario, world, at);
  timeProblems(scenario, at);
  claimProblems(scenario, world, at);
  nameProblems(scenario, world, at);
  runbookProblem(scenario, document.file, world, at);
  if (expectsNothing(scenario, document.value)) {
    at(
      ['expect'],
      'nothing is expected: whatever happens passes',
      'an alert in mustFire or mustNotFire, a measure that holds throughout, a check, or nothingElse in writing',
    );
  }
  return problems.sort(
    (a, b) =>
      (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
      (a.place?.column ?? 0) - (b.place?.column ?? 0),
  );
}

const faultLists = (scenario: Scenario): [Path, ScenarioFault[]][] => [
  [['faults'], scenario.faults],
  [['arms', 'trigger'], scenario.arms?.trigger ?? []],
  ...(scenario.arms?.runs ?? []).map((run, i): [Path, ScenarioFault[]] => [
    ['arms', 'runs', i, 'faults'],
    run.faults,
  ]),
];

function faultProblems(
  faults: readonly ScenarioFault[],
  path: Path,
  scenario: Scenario,
  world: World,
  at: At,
): void {
  faults.forEach((fault, i) => {
    const known = targetsOf(world.system, faultKind(fault.kind).targets);
    const why = world.system.impossible?.[fault.kind];
    if (why !== undefined) at([...path, i, 'kind'], `${fault.kind}: ${why}`);
    else if (known && !known.includes(fault.target)) {
      const message = `${fault.kind} has no target '${fault.target}'`;
      at([...path, i, 'target'], ...unknownName(message, fault.target, known));
    }
    const does = world.system.kindsOf?.[fault.target];
    if (does && known?.includes(fault.target) && !does.includes(fault.kind)) {
      at([...path, i, 'kind'], `${fault.target} cannot do ${fault.kind}`, does.join(', '));
    }
    lookUpProblem(fault, [...path, i, 'settings', 'name'], world, at);
    const { id, ramp = 0, start, stop } = fault;
    const untilMs = Math.min(stop ?? Infinity, scenario.fault?.atMost ?? Infinity);
    if (ramp > 0 && start + ramp > untilMs) {
      const message = `${id} is over before it has grown to its settings`;
      at(
        [...path, i, 'ramp'],
        message,
        `at most ${formatDurationMs(Math.max(0, untilMs - start))}`,
      );
    }
    const idle = withoutEffect(fault);
    if (idle !== undefined) at([...path, i, 'settings'], `${fault.id} changes nothing: ${idle}`);
    const endMs = scenario.fault?.atMost;
    if (endMs !== undefined && fault.start >= endMs) {
      at(
        [...path, i, 'start'],
        `${fault.id} starts after ${formatDurationMs(fault.start)}, when the fault phase is over: it is never put`,
        `less than fault.atMost (${formatDurationMs(endMs)})`,
      );
    }
  });
}

/** The name of a fault of DNS must be one that its target looks up, or nothing is struck. */
function lookUpProblem(
  { kind, target, settings }: ScenarioFault,
  path: Path,
  world: World,
  at: At,
): void {
  const names = world.system.lookedUp?.[target];
  const { name } = settings;
  if (!names || typeof name !== 'string' || faultKind(kind).targets !== 'resolver') return;
  if (names.some((own) => own.toLowerCase() === name.toLowerCase())) return;
  at(path, ...unknownName(`${target} calls nothing at '${name}'`, name, names));
}

/** Kinds whose amount is the remainder (replicas, bytes, further files), so that 0 is the strongest fault. */
const zeroIsMost: ReadonlySet<string> = new Set(['scale', 'disk-full', 'open-files']);

/** Returns the reason why these settings have no effect; undefined if they may have one. */
function withoutEffect({ kind, settings }: ScenarioFault): string | undefined {
  if (zeroIsMost.has(kind)) return undefined;
  if (settings.ratio === 0) return 'its ratio is 0';
  const amounts = Object.entries(settings).filter(
    ([name, value]) => name !== 'ratio' && name !== 'seed' && typeof value === 'number',
  );
  if (amounts.length > 0 && amounts.every(([, value]) => value === 0)) {
    return `${amounts.map(([name]) => name).join(' and ')} ${amounts.length === 1 ? 'is' : 'are'} 0`;
  }
  if (kind === 'registry' && Object.keys(settings).length === 0) return 'it sets nothing';
  return undefined;
}

function timeProblems({ fault, expect, steps, recovery }: Scenario, at: At): void {
  expect.mustFire.forEach(({ alert, within, resolveWithin }, i) => {
    const none = within === 0 ? 'within' : resolveWithin === 0 ? 'resolveWithin' : undefined;
    if (none === undefined) return;
    at(['expect', 'mustFire', i, none], `${alert} has no time at all`, 'a time such as 5m');
  });
  expect.mustFire.forEach(({ alert, resolveWithin }, i) => {
    if (resolveWithin === undefined || resolveWithin <= recovery) return;
    at(
      ['expect', 'mustFire', i, 'resolveWithin'],
      `${alert} may take ${formatDurationMs(resolveWithin)} to resolve, and nobody looks for so long`,
      `at most recovery (${formatDurationMs(recovery)})`,
    );
  });
  if (!fault) return;
  const phase = `fault.atMost (${formatDurationMs(fault.atMost)})`;
  expect.mustFire.forEach((wanted, i) => {
    if (wanted.within <= fault.atMost) return;
    const within = formatDurationMs(wanted.within);
    at(
      ['expect', 'mustFire', i, 'within'],
      `the deadline of ${wanted.alert} (${within}) lies beyond the fault phase, which ends before it`,
      `at most ${phase}`,
    );
  });
  steps.forEach((step, i) => {
    if (step.at >= fault.atMost) {
      at(['steps', i, 'at'], 'this step comes after the fault phase is over', `less than ${phase}`);
    }
  });
}

function nameProblems(scenario: Scenario, world: World, at: At): void {
  const { system, routes = system.routes } = world;
  const route = (path: Path, name: string | undefined): void => {
    if (name === undefined || !routes || routes.includes(name)) return;
    at(path, ...unknownName(`the load has no route '${name}'`, name, routes));
  };
  const counter = (path: Path, service: string, name: string | undefined): void => {
    const services = system.services.map((s) => s.name);
    const found = system.services.find((s) => s.name === service);
    if (!found) at(path, ...unknownName(`no service '${service}'`, service, services));
    else if (name !== undefined && found.counters && !found.counters.includes(name)) {
      at(path, ...unknownName(`${service} has no counter '${name}'`, name, found.counters));
    }
  };
  scenario.hypothesis.measures.forEach((m, i) =>
    route(['hypothesis', 'measures', i, 'route'], m.route),
  );
  scenario.abort.forEach((m, i) => route(['abort', i, 'route'], m.route));
  scenario.checks.forEach((c, i) => {
    route(['checks', i, 'route'], c.route);
    if (c.counter) counter(['checks', i, 'counter'], c.counter.service, c.counter.name);
  });
  const noController = system.parts.includes('controller')
    ? undefined
    : 'nothing is published: there is no controller';
  scenario.checks.forEach(({ rollout }, i) => {
    if (rollout !== undefined && noController) at(['checks', i, 'rollout'], noController);
  });
  scenario.expect.mayEnd.forEach(({ process }, i) => {
    if (system.processes.includes(process)) return;
    const message = `no process '${process}'`;
    at(['expect', 'mayEnd', i, 'process'], ...unknownName(message, process, system.processes));
  });
  scenario.steps.forEach(({ restart, publish }, i) => {
    if (publish && noController) at(['steps', i, 'publish'], noController);
    if (restart === undefined || system.processes.includes(restart)) return;
    at(
      ['steps', i, 'restart'],
      ...unknownName(`no process '${restart}'`, restart, system.processes),
    );
  });
  const { arms } = scenario;
  if (!arms) return;
  route(['arms', 'goodput', 'route'], arms.goodput.route);
  for (const [field, text] of Object.entries(arms.amplification)) {
    const [service = '', name] = text.split('.');
    counter(['arms', 'amplification', field], service, name);
  }
}

/** The runbook must be a page of the package, by its name, or a file beside the scenario. */
function runbookProblem({ runbook }: Scenario, file: string, { pages }: World, at: At): void {
  if (pages.has(runbook)) return;
  if (/^https?:\/\//.test(runbook)) return;
  if (runbook.endsWith('.md')) {
    if (existsSync(resolve(dirname(file), runbook))) return;
    at(['runbook'], `no file ${runbook} beside the scenario`);
    return;
  }
  at(['runbook'], ...unknownName(`no runbook page '${runbook}'`, runbook, [...pages]));
}

function expectsNothing({ expect, checks, arms, hypothesis }: Scenario, raw: unknown): boolean {
  const written = (raw as { expect?: { nothingElse?: unknown } } | null)?.expect?.nothingElse;
  if (written !== undefined && expect.nothingElse !== 'off') return false;
  return (
    expect.mustFire.length + expect.mustNotFire.length + checks.length === 0 &&
    !hypothesis.measures.some((m) => m.throughout) &&
    !arms?.runs.some(
      (run) => run.expect !== 'either' || (run.amplificationAtMost ?? run.seenAtMost) !== undefined,
    )
  );
}
