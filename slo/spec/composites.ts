/** Checks SLOs that are made of other SLOs, once all files are read. */
import type { Problem } from '../../base/errors.js';
import { suggest } from '../../base/suggest.js';
import type { CompositePart, Period, Sli, Slo } from './model.js';

type Composite = Extract<Sli, { kind: 'composite' }>;

const periodText = (period: Period): string => period.calendar ?? `${period.days}d`;

/** The mistakes of all composites: unknown parts, parts that do not fit, and SLOs that are made of themselves. */
export function compositeProblems(slos: readonly Slo[]): Problem[] {
  const byId = new Map(slos.map((s) => [s.id, s]));
  return slos.flatMap((slo) => {
    const { sli } = slo;
    if (sli.kind !== 'composite') return [];
    const problems = sli.parts.flatMap((part, i): Problem[] => {
      const problem = problemOf(slo, sli, i, byId);
      const place = part.place ?? slo.place;
      return problem ? [{ ...(place ? { place } : {}), ...problem }] : [];
    });
    const circle = circleOf(slo, byId);
    // Each circle is one mistake, at the first of its SLOs.
    if (!circle || slos.find((s) => circle.includes(s.id)) !== slo) return problems;
    const part = sli.parts.find((p) => p.slo === circle[1]);
    const place = part?.place ?? slo.place;
    return [
      ...problems,
      {
        ...(place ? { place } : {}),
        message: `${slo.id} is composed of itself: ${circle.join(', ')}`,
        expected: 'parts that do not lead back to it',
      },
    ];
  });
}

function problemOf(
  slo: Slo,
  sli: Composite,
  index: number,
  byId: ReadonlyMap<string, Slo>,
): Problem | undefined {
  const { slo: id } = sli.parts[index] as CompositePart;
  const message = `${slo.id} is composed of ${id}`;
  const part = byId.get(id);
  if (!part) {
    const others = [...byId.keys()].filter((other) => other !== slo.id);
    const expected = suggest(id, others) ?? 'the id (service-name) of an SLO in the same run';
    return { message: `${message}, which is not defined`, expected };
  }
  if (part.sli.kind === 'slices') {
    return { message: `${message}, a slices SLO`, expected: 'the id of an SLO that counts events' };
  }
  if (sli.parts.findIndex((p) => p.slo === id) < index) {
    return { message: `${message} twice`, expected: 'each part once' };
  }
  if (periodText(part.period) !== periodText(slo.period)) {
    return {
      message: `${message}, whose window is ${periodText(part.period)}`,
      expected: `the same window for both, ${periodText(slo.period)}`,
    };
  }
  const missing = slo.groupBy.filter((label) => !part.groupBy.includes(label));
  if (missing.length === 0) return undefined;
  return {
    message: `${slo.id} is grouped by ${missing.join(', ')}, and its part ${id} is not`,
    expected: `groupBy: { labels: [${slo.groupBy.join(', ')}] } for ${id}`,
  };
}

/** The way from an SLO back to itself, `[a, b, a]`; undefined if there is none. */
function circleOf(from: Slo, byId: ReadonlyMap<string, Slo>): string[] | undefined {
  const seen = new Set<string>();
  const go = (slo: Slo, way: string[]): string[] | undefined => {
    if (slo.sli.kind !== 'composite') return undefined;
    for (const { slo: id } of slo.sli.parts) {
      if (id === from.id) return [...way, id];
      const part = byId.get(id);
      if (!part || seen.has(id)) continue;
      seen.add(id);
      const found = go(part, [...way, id]);
      if (found) return found;
    }
    return undefined;
  };
  return go(from, [from.id]);
}

/** The same SLOs, with the lag of each composite: a step more than the slowest of its parts. */
export function withLags(slos: readonly Slo[]): Slo[] {
  const byId = new Map(slos.map((s) => [s.id, s]));
  const lagOf = (sli: Sli | undefined): number => {
    // A probe is counted a default step after it began.
    if (sli?.kind === 'probe') return 1;
    if (sli?.kind !== 'composite') return 0;
    return 1 + Math.max(...sli.parts.map((part) => lagOf(byId.get(part.slo)?.sli)));
  };
  return slos.map((slo) =>
    slo.sli.kind === 'composite' ? { ...slo, sli: { ...slo.sli, lagSteps: lagOf(slo.sli) } } : slo,
  );
}
