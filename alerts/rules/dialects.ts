/** Fields of rule files that other rulers than Prometheus's have: some are read, since their rules are PromQL. */
import { type Problem, UserError } from '../../base/errors.js';
import type { Path, YamlDocument } from '../../base/yaml.js';

/** Fields that are read, and their program; a Prometheus refuses a file that has one. */
const read: Readonly<Record<string, string>> = {
  namespace: 'mimirtool',
  partial_response_strategy: 'Thanos',
  source_tenants: 'Mimir',
  evaluation_delay: 'Mimir',
  align_evaluation_time_on_interval: 'Mimir',
};

/** Fields of vmalert, whose language is not PromQL alone. */
const ofVmalert: ReadonlySet<string> = new Set(
  (
    'type eval_offset eval_delay eval_alignment concurrency params headers notifier_headers ' +
    'tenant debug update_entries_limit'
  ).split(' '),
);

/** Every field of Mimir and Thanos in a rule file whose groups are below `root`. */
export function dialectFields(
  document: YamlDocument,
  root: Path = [],
): { path: Path; field: string; program: string }[] {
  const fieldsOf = (value: unknown, path: Path) =>
    Object.keys(typeof value === 'object' && value !== null ? value : {}).flatMap((field) => {
      const program = read[field];
      return program === undefined ? [] : [{ path: [...path, field], field, program }];
    });
  let file = document.value as Record<string, unknown> | null;
  for (const key of root) file = (file?.[key] ?? null) as Record<string, unknown> | null;
  const groups: unknown[] = Array.isArray(file?.groups) ? file.groups : [];
  return [
    ...fieldsOf(file, root),
    ...groups.flatMap((group, i) => fieldsOf(group, [...root, 'groups', i])),
  ];
}

/** Runs `check`; an unknown field of vmalert is told as such. */
export function namingVmalert<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.problems.map(named), error.exitCode);
  }
}

function named(problem: Problem): Problem {
  const [, field = ''] = /^unknown field '(\w+)' in .*groups/.exec(problem.message) ?? [];
  if (!ofVmalert.has(field)) return problem;
  return { ...problem, expected: "a field of Prometheus: this is one of VictoriaMetrics' vmalert" };
}
