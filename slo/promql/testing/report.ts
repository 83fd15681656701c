/** Prints test results as a table, as JSON, and failures as text. */
import { formatTable } from '../../../base/terminal.js';
import type { Outcome } from './run.js';

export interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
  readonly outcomes: readonly Outcome[];
}

export function fileResult(file: string, outcomes: readonly Outcome[]): FileResult {
  const count = (status: Outcome['status']): number =>
    outcomes.filter((o) => o.status === status).length;
  return {
    file,
    passed: count('passed'),
    failed: count('failed'),
    unsupported: count('unsupported'),
    outcomes,
  };
}

export function totalsOf(results: readonly FileResult[]): Omit<FileResult, 'file' | 'outcomes'> {
  const sum = (field: 'passed' | 'failed' | 'unsupported'): number =>
    results.reduce((total, r) => total + r[field], 0);
  return { passed: sum('passed'), failed: sum('failed'), unsupported: sum('unsupported') };
}

export function resultsJson(results: readonly FileResult[]): object {
  return {
    files: results.map(({ file, passed, failed, unsupported, outcomes }) => ({
      file,
      passed,
      failed,
      unsupported,
      problems: outcomes
        .filter((o) => o.status !== 'passed')
        .map(({ line, query, status, reason }) => ({ line, query, status, reason })),
    })),
    totals: totalsOf(results),
  };
}

export function resultsText(results: readonly FileResult[]): string {
  const problems = results.flatMap(({ file, outcomes }) =>
    outcomes
      .filter((o) => o.status !== 'passed')
      .map((o) => `${file}:${o.line}: ${o.status}: ${o.query}\n    ${o.reason ?? ''}\n`),
  );
  const totals = totalsOf(results);
  const row = (name: string, r: Omit<FileResult, 'file' | 'outcomes'>): string[] => [
    name,
    String(r.passed),
    String(r.failed),
    String(r.unsupported),
  ];
  const rows = results.map((r) => row(r.file, r));
  if (results.length > 1) rows.push(row('total', totals));
  return `${problems.join('')}${formatTable(['file', 'passed', 'failed', 'unsupported'], rows)}\n`;
}
