/**
 * Reads lists of metrics: one name a line, an exposition, a Markdown table, Prometheus's metadata, or the mesh's own.
 */
import { readFileSync } from 'node:fs';
import { messageOf, UserError } from '../../base/errors.js';
import type { MetricCatalogue, MetricType } from './catalogue.js';
import { addMeshMetrics } from './mesh-catalogue.js';

const types: readonly string[] = ['counter', 'gauge', 'histogram', 'summary', 'info'];
const typeIn = (text: string | undefined): MetricType | undefined =>
  types.includes(text ?? '') ? (text as MetricType) : undefined;

const nameAlone = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** Adds the metrics of a file, or the mesh's own for the word `mesh`; returns the number of lines that named one. */
export function addMetricList(catalogue: MetricCatalogue, source: string): number {
  if (source === 'mesh') return addMeshMetrics(catalogue);
  let text: string;
  try {
    text = readFileSync(source, 'utf8');
  } catch (error) {
    throw new UserError(`${source}: ${messageOf(error)}`);
  }
  const count = addMetricText(catalogue, text);
  if (count > 0) return count;
  throw new UserError({
    message: `${source} names no metric`,
    expected:
      'a name a line, an exposition (# TYPE …), a Markdown table, /api/v1/metadata, or …/label/__name__/values',
  });
}

export function addMetricText(catalogue: MetricCatalogue, text: string): number {
  if (/^\s*\{/.test(text)) return addMetadata(catalogue, text);
  let count = 0;
  const add = (name: string, type?: MetricType, labels?: string[]): void => {
    const set = labels === undefined ? undefined : new Set(labels);
    catalogue.add(name, { type, labels: set });
    count++;
  };
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const typed = /^# TYPE (\S+) (\S+)/.exec(line);
    if (typed) add(typed[1] as string, typeIn(typed[2]));
    else if (line.startsWith('|')) addTableRow(line, add);
    else if (nameAlone.test(line)) add(line);
    else {
      const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+[-+0-9NI]/.exec(line);
      if (!sample) continue;
      const labels = [...(sample[2] ?? '').matchAll(/(\w+)="/g)].map((m) => m[1] as string);
      add(sample[1] as string, undefined, labels);
    }
  }
  return count;
}

/** Reads `| name | counter | a, b | help |`: the name comes first, type and labels are recognized by their form. */
function addTableRow(
  line: string,
  add: (name: string, type?: MetricType, labels?: string[]) => void,
): void {
  const cells = line
    .split('|')
    .slice(1, -1)
    .map((c) => c.trim().replaceAll('`', ''));
  const [name = ''] = cells;
  const type = cells.map(typeIn).find((t) => t !== undefined);
  if (!nameAlone.test(name) || type === undefined) return;
  const after = cells[cells.findIndex((c) => typeIn(c)) + 1] ?? '';
  const labels = after === '' || after === '-' ? [] : after.split(/[\s,]+/);
  add(name, type, labels.every((l) => nameAlone.test(l)) ? labels : undefined);
}

function addMetadata(catalogue: MetricCatalogue, text: string): number {
  let data: unknown;
  try {
    data = (JSON.parse(text) as { data?: unknown }).data;
  } catch {
    return 0;
  }
  if (Array.isArray(data)) {
    const names = data.filter((name): name is string => typeof name === 'string');
    for (const name of names) catalogue.add(name);
    return names.length;
  }
  const entries = Object.entries((data ?? {}) as Record<string, { type?: string }[]>);
  for (const [name, [first]] of entries) catalogue.add(name, { type: typeIn(first?.type) });
  return entries.length;
}
