/** Prints the library: one line an alert, or every known detail as JSON. */
import { formatDurationMs } from '../../base/duration.js';
import { formatTable } from '../../base/terminal.js';
import { hiddenBy } from './inhibition.js';
import { libraryEntries, libraryGroups } from './library.js';
import { alertNames, type LibraryAlert } from './names.js';

export interface ListedAlert {
  name: LibraryAlert;
  severity: string;
  covers: readonly string[];
  for: string;
  keepFiringFor: string;
  timing: string;
  summary: string;
  description: string;
  runbook_url: string;
  dashboard_url: string;
  hiddenBy: LibraryAlert[];
  expr: string;
}

export function listLibrary(): ListedAlert[] {
  const entries = libraryEntries.flatMap(([, all]) => all);
  const rules = libraryGroups().flatMap((g) => g.rules);
  return entries.map((entry, i) => {
    const rule = rules[i];
    if (rule?.kind !== 'alert') throw new Error(`${entry.name} has no rule`);
    return {
      name: entry.name,
      severity: alertNames[entry.name].severity,
      covers: alertNames[entry.name].covers,
      for: formatDurationMs(rule.forMs),
      keepFiringFor: formatDurationMs(rule.keepFiringForMs),
      timing: entry.timing,
      summary: entry.summary,
      description: entry.description,
      runbook_url: rule.annotations.runbook_url ?? '',
      dashboard_url: rule.annotations.dashboard_url ?? '',
      hiddenBy: hiddenBy(entry.name),
      expr: rule.expr,
    };
  });
}

export function listText(list: readonly ListedAlert[]): string {
  const rows = list.map((a) => [
    a.name,
    a.severity,
    a.covers.join(' '),
    a.for,
    a.hiddenBy.join(' ') || '-',
  ]);
  return `${formatTable(['ALERT', 'SEVERITY', 'COVERS', 'FOR', 'HIDDEN BY'], rows)}\n`;
}
