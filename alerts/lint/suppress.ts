/**
 * Exceptions, written as comments with a reason: `# lint-ignore promql/short-window: scraped every 5 s` above or
 * within a rule, and `# lint-ignore-file alert/missing-owner: the routes add it` anywhere for the whole file.
 */
import { suggest } from '../../base/suggest.js';
import { type Finding, type LintRuleId, lintRules } from './model.js';
import { sayTo } from './context.js';
import type { LintFile } from './source.js';

interface Ignore {
  id: LintRuleId;
  line: number;
  column: number;
  /** The lines that the exception covers. */
  firstLine: number;
  lastLine: number;
  used: boolean;
}

const comment = /#\s*lint-ignore(-file)?\b[ \t]*([^\s:]*)[ \t]*:?[ \t]*(.*)$/;

/** The findings of one file without the suppressed ones, plus mistakes in the exceptions themselves. */
export function suppress(file: LintFile, findings: readonly Finding[]): Finding[] {
  const problems: Finding[] = [];
  const ignores = readIgnores(file, problems);
  const left = findings.filter((finding) => {
    const ignore = ignores.find(
      (i) =>
        i.id === finding.rule &&
        finding.place.line >= i.firstLine &&
        finding.place.line <= i.lastLine,
    );
    if (ignore) ignore.used = true;
    return !ignore;
  });
  for (const ignore of ignores) {
    if (ignore.used) continue;
    const { line, column } = ignore;
    sayTo(problems, '')(
      'lint/unused-ignore',
      { file: file.file, line, column },
      {
        message: `there is no finding of ${ignore.id} here`,
        fix: 'remove the comment',
      },
    );
  }
  return [...left, ...problems];
}

function readIgnores(file: LintFile, problems: Finding[]): Ignore[] {
  const ignores: Ignore[] = [];
  const lines = file.text.split(/\r?\n/);
  lines.forEach((text, i) => {
    const match = comment.exec(text);
    if (!match) return;
    const line = i + 1;
    const place = { file: file.file, line, column: match.index + 1 };
    const say = sayTo(problems, '');
    const [, whole, id = '', reason = ''] = match;
    if (!(id in lintRules)) {
      const near = suggest(id, Object.keys(lintRules));
      say('lint/unknown-rule', place, {
        message: id === '' ? 'an exception without a rule' : `there is no rule ${id}`,
        fix: near ? `did you mean ${near}?` : 'firedrill alerts lint --list-rules lists them',
      });
      return;
    }
    if (!/\w{2,}/.test(reason)) {
      say('lint/no-reason', place, {
        message: `an exception from ${id} without a reason`,
        fix: `# lint-ignore${whole ?? ''} ${id}: the reason for the exception`,
      });
      return;
    }
    const range = whole ? [1, lines.length] : linesOfRule(file, lines, line);
    ignores.push({
      id: id as LintRuleId,
      line,
      column: match.index + 1,
      firstLine: range[0] as number,
      lastLine: range[1] as number,
      used: false,
    });
  });
  return ignores;
}

/** The lines of the rule around the comment, or of the next rule if only comments and blank lines lie between. */
function linesOfRule(file: LintFile, lines: readonly string[], line: number): [number, number] {
  const next = file.rules.find((r) => r.firstLine > line);
  const between = next ? lines.slice(line, next.firstLine - 1) : ['x'];
  const isAbove =
    /^\s*#/.test(lines[line - 1] as string) && between.every((l) => /^\s*(#.*)?$/.test(l));
  const rule = isAbove ? next : file.rules.findLast((r) => r.firstLine <= line);
  return rule ? [rule.firstLine, rule.lastLine] : [line, line];
}
