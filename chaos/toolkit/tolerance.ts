/** The expected answer of a probe, in the Chaos Toolkit's format. */

export type Tolerance =
  | { kind: 'value'; value: boolean | number | string }
  | { kind: 'range'; from: number; to: number; target?: string }
  | { kind: 'among'; values: unknown[] }
  | { kind: 'regex'; pattern: RegExp; target?: string }
  | { kind: 'jsonpath'; steps: Step[]; expect?: unknown; count?: number; target?: string };

/** A name, an index of a list, or all elements. */
type Step = string | number | '*';

/** The answer of a program, of an address, or of another kind of probe. */
export type Answer = { status: number; [field: string]: unknown };

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const patternMax = 500;

/** Returns the reason, as a text, if the tolerance is not supported. */
export function readTolerance(value: unknown): Tolerance | string {
  if (['boolean', 'number', 'string'].includes(typeof value)) {
    return { kind: 'value', value: value as boolean | number | string };
  }
  if (Array.isArray(value)) {
    const [from, to] = value as unknown[];
    if (value.length === 2 && typeof from === 'number' && typeof to === 'number') {
      return { kind: 'range', from, to };
    }
    return { kind: 'among', values: value as unknown[] };
  }
  if (!isFields(value)) return 'not a tolerance';
  const target = typeof value.target === 'string' ? { target: value.target } : {};
  switch (value.type) {
    case 'range': {
      const [from, to] = Array.isArray(value.range) ? (value.range as unknown[]) : [];
      if (typeof from !== 'number' || typeof to !== 'number') return 'a range without two numbers';
      return { kind: 'range', from, to, ...target };
    }
    case 'regex': {
      const source = String(value.pattern ?? '');
      if (source === '' || source.length > patternMax) return 'a regex of no usable length';
      try {
        return { kind: 'regex', pattern: new RegExp(source), ...target };
      } catch {
        return `the regex '${source}' is not understood`;
      }
    }
    case 'jsonpath': {
      const steps = stepsOf(String(value.path ?? ''));
      if (!steps) return `the jsonpath '${String(value.path)}' is not supported`;
      const count = typeof value.count === 'number' ? { count: value.count } : {};
      const expect = value.expect === undefined ? {} : { expect: value.expect };
      return { kind: 'jsonpath', steps, ...expect, ...count, ...target };
    }
    default:
      return `a tolerance of type '${String(value.type)}' is not supported`;
  }
}

/** Parses `$.a.b[0].c`, `a.b`, `$['a'][*]`; undefined for any other syntax. */
export function stepsOf(path: string): Step[] | undefined {
  let rest = path.trim().replace(/^\$/, '');
  if (rest === '' && path.trim() !== '$') return undefined;
  const steps: Step[] = [];
  for (let first = !path.trim().startsWith('$'); rest !== ''; first = false) {
    const [whole, name, quoted, place] =
      /^(?:\.([\w-]+|\*)|\[(?:'([^']+)'|"[^"]+")\]|\[(\d+|\*)\])/.exec(first ? `.${rest}` : rest) ??
      [];
    if (whole === undefined) return undefined;
    const step = name ?? quoted ?? place ?? whole.slice(2, -2);
    steps.push(place !== undefined && place !== '*' ? Number(place) : step);
    rest = rest.slice(first ? whole.length - 1 : whole.length);
  }
  return steps;
}

function found(value: unknown, steps: readonly Step[]): unknown[] {
  const [step, ...rest] = steps;
  if (step === undefined) return [value];
  if (typeof value !== 'object' || value === null) return [];
  const next =
    step === '*' ? Object.values(value) : [(value as Record<string | number, unknown>)[step]];
  return next.filter((v) => v !== undefined).flatMap((v) => found(v, rest));
}

const asJson = (value: unknown): unknown => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
};

/** The field of the answer; a JSON body is parsed. */
function aimed(answer: unknown, target: string | undefined): unknown {
  return target !== undefined && isFields(answer) && target in answer ? answer[target] : answer;
}

export function isWithin(tolerance: Tolerance, answer: unknown): boolean {
  const status = isFields(answer) && 'status' in answer ? answer.status : answer;
  switch (tolerance.kind) {
    case 'value':
      if (typeof tolerance.value === 'boolean') return answer === tolerance.value;
      return status === tolerance.value || answer === tolerance.value;
    case 'among':
      return tolerance.values.includes(status);
    case 'range': {
      const { from, to, target } = tolerance;
      if (target === undefined) {
        // Two statuses are alternatives, not a range.
        if (isFields(answer)) return status === from || status === to;
        return Number(status) >= from && Number(status) <= to;
      }
      const value = Number(aimed(answer, target));
      return value >= from && value <= to;
    }
    case 'regex': {
      const value = aimed(answer, tolerance.target);
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return tolerance.pattern.test(text.slice(0, 1_000_000));
    }
    case 'jsonpath': {
      const values = found(asJson(aimed(answer, tolerance.target)), tolerance.steps);
      const { expect, count } = tolerance;
      if (count !== undefined && values.length !== count) return false;
      if (expect === undefined) return values.length > 0;
      const wanted = Array.isArray(expect) ? expect : [expect];
      return JSON.stringify(values) === JSON.stringify(wanted);
    }
  }
}
