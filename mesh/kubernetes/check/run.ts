/**
 * Runs checks in order; a check that throws counts as failed with its message, or as unknown if the caller has not the
 * right to look. A fatal failure skips the rest.
 */
import { exitCode, messageOf } from '../../../base/errors.js';
import { isStatus } from '../client/api.js';
import {
  type Check,
  type CheckContext,
  type CheckResult,
  documentationOf,
  type Failure,
} from './model.js';

export async function runChecks(
  checks: readonly Check[],
  context: CheckContext,
  onResult: (result: CheckResult) => void = () => undefined,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  let stopped: string | undefined;
  for (const check of checks) {
    const result = stopped === undefined ? await one(check, context) : skipped(check, stopped);
    results.push(result);
    onResult(result);
    if (check.fatal && result.result === 'error') stopped ??= check.id;
  }
  return results;
}

async function one(check: Check, context: CheckContext): Promise<CheckResult> {
  const { id, category, description } = check;
  let failure: Failure | undefined;
  try {
    failure = await check.run(context);
  } catch (error) {
    if (isStatus(error, 403)) {
      const fix = 'nothing is known of it: run check as somebody who may look';
      return {
        id,
        category,
        description,
        result: 'unknown',
        reason: messageOf(error),
        fix,
        documentation: documentationOf(id),
      };
    }
    failure = {
      reason: messageOf(error),
      fix: 'see the reason: the check itself could not be made',
    };
  }
  if (!failure) return { id, category, description, result: 'success' };
  const { warning = check.warning, skipped: isSkipped, ...why } = failure;
  const result = isSkipped ? 'skipped' : warning ? 'warning' : 'error';
  return { id, category, description, result, ...why, documentation: documentationOf(id) };
}

const skipped = ({ id, category, description }: Check, because: string): CheckResult => ({
  id,
  category,
  description,
  result: 'skipped',
  reason: `${because} failed`,
});

const anyFailed = (results: readonly CheckResult[]): boolean =>
  results.some((r) => r.result === 'error');

/** 0: all well or warnings only. Checks that could not be made are no good news. */
export function exitCodeOf(results: readonly CheckResult[]): number {
  if (anyFailed(results)) return exitCode.failed;
  return results.some((r) => r.result === 'unknown') ? exitCode.inconclusive : exitCode.ok;
}

/** Printed like Linkerd's checks: a ruled heading for each category, a mark for each check. */
export function renderResults(results: readonly CheckResult[]): string {
  const marks = { success: '√', warning: '‼', error: '×', unknown: '?', skipped: '-' };
  const lines: string[] = [];
  let category = '';
  for (const r of results) {
    if (r.category !== category) {
      if (category !== '') lines.push('');
      category = r.category;
      lines.push(category, '-'.repeat(category.length));
    }
    lines.push(`${marks[r.result]} ${r.description}`);
    if (r.result === 'success') continue;
    lines.push(`    ${r.reason ?? ''}`);
    if (r.fix) lines.push(`    fix: ${r.fix}`);
    if (r.documentation) lines.push(`    see ${r.documentation}`);
  }
  const unseen = results.filter((r) => r.result === 'unknown').length;
  const mark = anyFailed(results) ? '×' : unseen > 0 ? '?' : '√';
  const rights = unseen > 0 ? `: ${unseen} checks need rights that you have not` : '';
  lines.push('', `Status check results are ${mark}${rights}`);
  return lines.join('\n');
}
