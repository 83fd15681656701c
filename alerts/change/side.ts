/** One side of a comparison: its rule files, and the Alertmanager configuration if it has one. */
import { createHash } from 'node:crypto';
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

/** The rule itself as a text. Annotations are left out. */
function ownText({ rule }: ReadRule, group: ReadGroup): string {
  return JSON.stringify([
    rule.kind === 'alert' ? [rule.alert, rule.forMs, rule.keepFiringForMs] : rule.record,
    plainExpr(rule.expr),
    Object.entries(rule.labels).sort(),
    [group.intervalMs, group.queryOffsetMs, group.limit],
  ]);
}

/**
 * The meaning of a rule as a text: itself, and a hash of all recording rules that it reads at any depth. The names in
 * the queries say which rule reads which, so the set of the rules tells their structure, circles included.
 */
function meaningsOf(groups: readonly ReadGroup[]): (read: ReadRule, group: ReadGroup) => string {
  const recording = new Map<string, { text: string; names: readonly string[] }[]>();
  for (const group of groups) {
    for (const read of group.rules) {
      if (read.rule.kind !== 'record') continue;
      const known = recording.get(read.rule.record) ?? [];
      if (known.length === 0) recording.set(read.rule.record, known);
      known.push({ text: ownText(read, group), names: namesIn(read.rule.expr) });
    }
  }
  return (read, group) => {
    const names = new Set(namesIn(read.rule.expr));
    const texts: string[] = [];
    // The set grows while it is walked: names that a rule read brings in are walked as well.
    for (const name of names) {
      for (const rule of recording.get(name) ?? []) {
        texts.push(rule.text);
        for (const other of rule.names) names.add(other);
      }
    }
    const hash = createHash('sha256').update(texts.sort().join('\n')).digest('hex');
    return `${ownText(read, group)}${texts.length > 0 ? hash : ''}`;
  };
}
