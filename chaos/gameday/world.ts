/** Checks scenarios against the names of a system, its rules and its routing. */
import { formatProblem, type Problem, UserError } from '../../base/errors.js';
import { readPages } from '../../runbooks/pages.js';
import { checkScenario } from '../scenarios/check.js';
import type { LoadPlan } from '../load/load-file.js';
import type { Clock } from '../../base/clock.js';
import { Guard } from '../guard/guard.js';
import { longestOf } from '../scenarios/length.js';
import type { Judging } from './judging.js';
import type { GameDayOptions } from './options.js';
import type { ReadScenario } from '../scenarios/read.js';
import { strikableOf, type SystemNames, type World } from '../scenarios/world.js';

export function worldOf(
  system: SystemNames,
  judging: Pick<Judging, 'groups'> & Partial<Judging>,
  load?: LoadPlan,
): World {
  const { groups, receivers, routing, alertmanager, slos } = judging;
  return {
    system,
    ...(routing && { routing }),
    ...(alertmanager && { silences: (alertmanager.silences ?? []).map((s) => s.comment) }),
    ...(slos && { sloAlerts: slos.map((slo) => slo.alerting.name) }),
    ...(load?.kind === 'profile' && { routes: load.profile.routes.map((route) => route.name) }),
    isClientUnseen: load?.kind === 'existing',
    rules: groups.flatMap((g) => g.rules).filter((r) => r.kind === 'alert'),
    pages: new Set(readPages().keys()),
    ...(receivers && { receivers }),
  };
}

/** Throws a UserError with the place of everything that cannot work, before anything is touched. */
export function refuseImpossible(
  scenarios: readonly ReadScenario[],
  world: World,
  guard?: Pick<Guard, 'excess'>,
): void {
  const problems = scenarios.flatMap((scenario) => [
    ...checkScenario(scenario, world),
    ...(guard ? excessProblems(scenario, world, guard) : []),
  ]);
  if (problems.length > 0) throw new UserError(problems);
}

/** The faults of a scenario that exceed the guard's limits. */
function excessProblems(
  { scenario, document }: ReadScenario,
  { system }: World,
  guard: Pick<Guard, 'excess'>,
): Problem[] {
  const { faults, arms } = scenario;
  const all = [...faults, ...(arms?.trigger ?? []), ...(arms?.runs.flatMap((r) => r.faults) ?? [])];
  const targets = all.map((fault) => fault.target);
  const excess = guard.excess(strikableOf(system), targets);
  if (!excess) return [];
  const ceiling = formatProblem({ place: excess.place, message: excess.field });
  return [
    {
      place: document.placeOf([faults.length > 0 ? 'faults' : 'arms']),
      message: `${excess.text} by the guard (${ceiling})`,
    },
  ];
}

/** The guard of the drill, for all of these scenarios one after the other. */
export function guardOf(
  { drill }: Pick<GameDayOptions, 'drill'>,
  { slos, timing }: Pick<Judging, 'slos' | 'timing'>,
  scenarios: readonly ReadScenario[],
  clock?: Clock,
): Guard {
  const nominalMs = scenarios.reduce((sum, { scenario }) => sum + longestOf(scenario), 0);
  const { name, folder, guard, placeOf } = drill;
  const lengthMs = nominalMs * timing.timeScale;
  return new Guard({ name, folder, guard, placeOf, slos, lengthMs }, clock);
}
