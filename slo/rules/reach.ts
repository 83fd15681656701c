/** How far a composite gets if each of its parts just meets its own objective. */
import type { Problem } from '../../base/errors.js';
import type { Sli, Slo } from '../spec/model.js';

export interface Reach {
  /** The highest objective that the parts support together, in per cent. */
  percent: number;
  /** The arithmetic, such as `99.9% * 99.5% = 99.4005%`. */
  text: string;
  /** The nearest rounder objective that the parts support; absent: the SLO's own one is supported. */
  supported?: number;
}

const percentText = (percent: number): string => `${Number(percent.toPrecision(8))}%`;

/** `all` are the SLOs by id; undefined for an SLO that is not a composite, or lacks a part. */
export function reachOf(slo: Slo, all: ReadonlyMap<string, Slo>): Reach | undefined {
  const { sli } = slo;
  if (sli.kind !== 'composite') return undefined;
  const objectives = sli.parts.map((part) => all.get(part.slo)?.objective ?? NaN);
  if (objectives.some(Number.isNaN)) return undefined;
  const { percent, text } = arithmetic[sli.by](sli, objectives);
  if (slo.objective <= percent) return { percent, text };
  const grain = 10 ** Math.floor(Math.log10(100 - percent));
  // Rounded first: 0.3 / 0.1 is 2.9999999999999996.
  const budget = Math.ceil(Number(((100 - percent) / grain).toPrecision(6))) * grain;
  return { percent, text, supported: Number((100 - budget).toPrecision(12)) };
}

type Composite = Extract<Sli, { kind: 'composite' }>;
type Arithmetic = (sli: Composite, objectives: readonly number[]) => Omit<Reach, 'supported'>;

const arithmetic: Record<Composite['by'], Arithmetic> = {
  chain: ({ parts }, objectives) => {
    const factors = objectives.map((objective, i) => {
      const { weight } = parts[i] as Composite['parts'][number];
      const bad = `${percentText(weight * 100)} * ${percentText(100 - objective)}`;
      const text = weight === 1 ? percentText(objective) : `(100% - ${bad})`;
      return { good: 1 - (weight * (100 - objective)) / 100, text };
    });
    const percent = 100 * factors.reduce((product, f) => product * f.good, 1);
    return { percent, text: `${factors.map((f) => f.text).join(' * ')} = ${percentText(percent)}` };
  },
  fallback: (_, objectives) => {
    const bad = objectives.map((objective) => 100 - objective);
    const percent = 100 - 100 * bad.reduce((product, b) => (product * b) / 100, 1);
    const product = bad.map(percentText).join(' * ');
    const together = percentText(Math.max(...objectives));
    return {
      percent,
      text: `100% - ${product} = ${percentText(percent)} if they fail independently, ${together} if together`,
    };
  },
  sum: (_, objectives) => {
    const percent = Math.max(...objectives);
    const least = percentText(Math.min(...objectives));
    return { percent, text: `from ${least} to ${percentText(percent)}, by the share of each` };
  },
};

/** A note for an SLO whose objective is higher than its parts support; undefined for all others. */
export function reachNote(slo: Slo, all: ReadonlyMap<string, Slo>): string | undefined {
  const reach = reachOf(slo, all);
  if (reach?.supported === undefined) return undefined;
  return (
    `parts that just meet their objectives miss this one of ${slo.objective}% (${reach.text}); ` +
    `did you mean ${reach.supported}?`
  );
}

/** The notes of all SLOs, with their places. */
export function reachNotes(slos: readonly Slo[]): Problem[] {
  const all = new Map(slos.map((s) => [s.id, s]));
  return slos.flatMap((slo) => {
    const message = reachNote(slo, all);
    return message === undefined ? [] : [{ ...(slo.place ? { place: slo.place } : {}), message }];
  });
}
