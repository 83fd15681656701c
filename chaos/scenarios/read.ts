/** Reads scenarios from YAML: built-in ones by name, a user's by file; reports mistakes with file, line and column. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import * as z from 'zod';
import { type Problem, UserError } from '../../base/errors.js';
import { inputName } from '../../base/input.js';
import { asset, packageRoot } from '../../base/paths.js';
import {
  checkYaml,
  handwrittenBytes,
  type Path,
  parseYaml,
  problemsOf,
  readYaml,
  type YamlDocument,
} from '../../base/yaml.js';
import { findQueryProblem } from '../../slo/spec/query.js';
import { faultKind } from '../faults/kinds.js';
import { boundProblems } from './check-claims.js';
import { noScenario } from './meant.js';
import { badPlaceholder, fillQuery } from './query.js';
import { type Scenario, type ScenarioFault, scenarioSchema } from './schema.js';

export interface ReadScenario {
  scenario: Scenario;
  /** The file as the user named it, or its path within the package. */
  file: string;
  /** Gives the places of problems that show only in a given system. */
  document: YamlDocument;
}

const folder = 'chaos/scenarios';

/** The names of the built-in scenarios, in the order of their files. */
export const ownScenarios = (): string[] =>
  readdirSync(asset(folder))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();

/** Each name is that of a built-in scenario, or a file. Ids must differ. */
export function readScenarios(names: readonly string[]): ReadScenario[] {
  const scenarios = names.map((name) => {
    const own = join(asset(folder), `${name}.yaml`);
    if (/^[a-z0-9-]+$/.test(name) && existsSync(own)) return readScenarioFile(own);
    if (name !== '-' && !/[./\\]/.test(name)) {
      const expected = `a file, or one of ${ownScenarios().join(', ')}`;
      throw noScenario(name, ownScenarios(), expected);
    }
    return readScenarioFile(name);
  });
  for (const { scenario } of scenarios) {
    const same = scenarios.filter((s) => s.scenario.id === scenario.id);
    if (same.length > 1) {
      throw new UserError(
        `${same.map((s) => s.file).join(' and ')} have the same id ${scenario.id}`,
      );
    }
  }
  return scenarios;
}

/** The file's text, if it is a scenario. */
export function scenarioText(name: string): string {
  readScenarios([name]);
  const own = ownScenarios().includes(name);
  return readFileSync(own ? join(asset(folder), `${name}.yaml`) : name, 'utf8');
}

export function readScenarioFile(file: string): ReadScenario {
  return readDocuments(readYaml(file, { bytesMax: handwrittenBytes }), file);
}

export function readScenarioText(file: string, text: string): ReadScenario {
  return readDocuments(parseYaml(file, text), file);
}

function readDocuments(documents: YamlDocument[], file: string): ReadScenario {
  const [document, ...more] = documents;
  if (!document || more.length > 0) {
    throw new UserError({
      message: `${inputName(file)}: not a scenario`,
      expected: 'one YAML document',
    });
  }
  const scenario = checkYaml(document, scenarioSchema);
  const problems = problemsIn(scenario, document);
  if (problems.length > 0) throw new UserError(problems);
  const inside = relative(packageRoot, file);
  const isOurs = file !== '-' && !inside.startsWith(`..${sep}`);
  return { scenario, file: isOurs ? inside : inputName(file), document };
}

/** Finds problems that the schema of the fields cannot find. */
function problemsIn(scenario: Scenario, document: YamlDocument): Problem[] {
  const problems: Problem[] = [];
  const at = (path: Path, message: string, expected?: string): void => {
    const place = document.placeOf(path);
    problems.push({ place, message, ...(expected !== undefined && { expected }) });
  };
  const faults: [Path, ScenarioFault[]][] = [
    [['faults'], scenario.faults],
    [['arms', 'trigger'], scenario.arms?.trigger ?? []],
    ...(scenario.arms?.runs ?? []).map((run, i): [Path, ScenarioFault[]] => [
      ['arms', 'runs', i, 'faults'],
      run.faults,
    ]),
  ];
  for (const [path, list] of faults) {
    list.forEach((fault, i) => {
      const result = faultKind(fault.kind).settings.safeParse(fault.settings);
      if (result.success) Object.assign(fault, { settings: result.data });
      else {
        const issues = result.error.issues.map((issue) => ({
          ...issue,
          path: [...path, i, 'settings', ...issue.path],
        }));
        problems.push(...problemsOf(document, new z.ZodError(issues)));
      }
      if (fault.ramp !== undefined && faultKind(fault.kind).ramp === undefined) {
        at([...path, i, 'ramp'], `${fault.kind} cannot be ramped: it is there, or it is not`);
      }
      if (fault.stop !== undefined && fault.stop <= fault.start) {
        at([...path, i, 'stop'], 'it stops before it starts', 'a time after start');
      }
    });
    const ids = list.map((f) => f.id);
    const twice = ids.findIndex((id, i) => ids.indexOf(id) !== i);
    if (twice >= 0) at([...path, twice, 'id'], `the id '${ids[twice]}' is used twice`);
  }
  const queries: [Path, string | undefined][] = [
    ...scenario.hypothesis.measures.map((m, i): [Path, string | undefined] => [
      ['hypothesis', 'measures', i, 'promql'],
      m.promql,
    ]),
    ...scenario.abort.map((m, i): [Path, string | undefined] => [['abort', i, 'promql'], m.promql]),
    ...scenario.expect.mustFire.flatMap((m, i): [Path, string | undefined][] => [
      [
        ['expect', 'mustFire', i, 'since'],
        typeof m.since === 'string' ? undefined : m.since.promql,
      ],
      [
        ['expect', 'mustFire', i, 'theory', 'value'],
        typeof m.theory === 'string' ? undefined : m.theory.value,
      ],
    ]),
    ...scenario.checks.map((m, i): [Path, string | undefined] => [
      ['checks', i, 'promql'],
      m.promql,
    ]),
  ];
  for (const [path, query] of queries) {
    if (query === undefined) continue;
    const bad = badPlaceholder(query);
    if (bad !== undefined) at(path, `'${bad}' is no duration`, '{{5m}} or {{since}}');
    const problem = findQueryProblem(fillQuery(query, 1, 0));
    if (problem !== undefined) at(path, problem.message, problem.expected);
  }
  if (scenario.baseline === 0) at(['baseline'], 'nothing is measured', 'a time such as 5m');
  boundProblems(scenario, at);
  const wanted = scenario.expect.mustFire.map(({ alert, labels, severity, arm, receiver }) =>
    JSON.stringify([alert, Object.entries(labels).sort(), severity, arm, receiver]),
  );
  const again = wanted.findIndex((text, i) => wanted.indexOf(text) !== i);
  if (again >= 0) at(['expect', 'mustFire', again], 'the same alert is awaited twice');
  const arms = scenario.arms?.runs.map((run) => run.name) ?? [];
  for (const [list, name] of [
    [scenario.expect.mustFire, 'mustFire'],
    [scenario.expect.mustNotFire, 'mustNotFire'],
  ] as const) {
    list.forEach((item, i) => {
      if (item.arm !== undefined && !arms.includes(item.arm)) {
        const known = arms.join(', ') || 'no arm: this scenario has none';
        at(['expect', name, i, 'arm'], `no arm '${item.arm}'`, known);
      }
    });
  }
  const { fault } = scenario;
  if (fault && fault.atLeast > fault.atMost) {
    at(['fault', 'atLeast'], 'atLeast is longer than atMost');
  }
  return problems;
}
