/** One side of a comparison: its rule files, and the Alertmanager configuration if it has one. */
import { UserError } from '../../base/errors.js';
import { readYaml } from '../../base/yaml.js';
import { listFiles } from '../../slo/index.js';
import { print, parse } from '../../slo/promql/index.js';
import { namesIn } from '../proof/unit/witness.js';
import { type AmConfig, readAmConfig } from '../routing/config.js';
import { checkExpr } from '../rules/engine.js';
import { type ReadGroup, type ReadRule, readRuleFile } from '../rules/read.js';

export interface SideRule {
  group: ReadGroup;
  read: ReadRule;
  /** A text that is equal for two rules that do the same, including every recording rule that they read. */
  meaning: string;
}

export interface Side {
  path: string;
  groups: ReadGroup[];
  alerts: SideRule[];
  /** The same for all recording rules together: sides with equal `records` record the same series. */
  records: string;
  config: AmConfig | undefined;
}

/**
 * Reads a file or a folder; YAML files that hold neither rules nor an Alertmanager configuration are skipped. Throws a
 * UserError with every mistake.
 */
export function readSide(path: string): Side {
  const groups: ReadGroup[] = [];
  let config: { file: string; value: AmConfig } | undefined;
  for (const file of listFiles([path])) {
    const kind = kindOf(file);
    if (kind === 'rules') groups.push(...readRuleFile(file, { checkExpr }));
    if (kind !== 'alertmanager') continue;
    if (config) {
      throw new UserError({
        message: `${path} has two Alertmanager configurations, ${config.file} and ${file}`,
        expected: 'one',
      });
    }
    config = { file, value: readAmConfig(file) };
  }
  if (groups.length === 0 && !config) {
    throw new UserError({
      message: `${path}: no rules and no Alertmanager configuration`,
      expected: 'rule files, an alertmanager.yml, or a folder of both',
    });
  }
  const meanings = meaningsOf(groups);
  const all = groups.flatMap((group) =>
    group.rules.map((read): SideRule => ({ group, read, meaning: meanings(read, group) })),
  );
  const records = all.filter((r) => r.read.rule.kind === 'record').map((r) => r.meaning);
  return {
    path,
    groups,
    alerts: all.filter((r) => r.read.rule.kind === 'alert'),
    records: records.sort().join('\n'),
    config: config?.value,
  };
}

function kindOf(file: string): 'rules' | 'alertmanager' | undefined {
  const documents = readYaml(file);
  const value = documents[0]?.value as Record<string, unknown> | null | undefined;
  if (documents.length !== 1 || typeof value !== 'object' || value === null) return undefined;
  if ('groups' in value) return 'rules';
  return 'route' in value && 'receivers' in value ? 'alertmanager' : undefined;
}

/** The query in one standard notation, so that equal queries have equal texts. */
export const plainExpr = (expr: string): string => print(parse(expr));

/**
 * The meaning of a rule as a text, including the recording rules that it reads at any depth. Annotations are left out.
 */
function meaningsOf(groups: readonly ReadGroup[]): (read: ReadRule, group: ReadGroup) => string {
  const recording = new Map<string, SideRule[]>();
  for (const group of groups) {
    for (const read of group.rules) {
      if (read.rule.kind !== 'record') continue;
      const known = recording.get(read.rule.record) ?? [];
      recording.set(read.rule.record, [...known, { group, read, meaning: '' }]);
    }
  }
  const known = new Map<ReadRule, string>();
  const of = (read: ReadRule, group: ReadGroup, above: ReadonlySet<ReadRule>): string => {
    const found = known.get(read);
    if (found !== undefined) return found;
    const within = new Set([...above, read]);
    const reads = [...new Set(namesIn(read.rule.expr))]
      .flatMap((name) => recording.get(name) ?? [])
      .filter((r) => !within.has(r.read))
      .map((r) => of(r.read, r.group, within));
    const { rule } = read;
    const text = JSON.stringify([
      rule.kind === 'alert' ? [rule.alert, rule.forMs, rule.keepFiringForMs] : rule.record,
      plainExpr(rule.expr),
      Object.entries(rule.labels).sort(),
      [group.intervalMs, group.queryOffsetMs, group.limit],
      reads.sort(),
    ]);
    if (above.size === 0) known.set(read, text);
    return text;
  };
  return (read, group) => of(read, group, new Set());
}
