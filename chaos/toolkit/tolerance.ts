/** The expected answer of a probe, in the Chaos Toolkit's format. */
import { isDeepStrictEqual } from 'node:util';
import { type Fields, isFields } from './fields.js';
import { pythonPattern } from './pattern.js';
import { numberOf } from './values.js';

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

const patternMax = 500;

/** Returns the reason, as a text, if the tolerance is not supported. */
export function readTolerance(value: unknown): Tolerance | string {
  if (['boolean', 'number', 'string'].includes(typeof value)) {
    return { kind: 'value', value: value as boolean | number | string };
  }
  if (Array.isArray(value)) return { kind: 'among', values: value as unknown[] };
  if (!isFields(value)) return 'not a tolerance';
  const target = typeof value.target === 'string' ? { target: value.target } : {};
  switch (value.type) {
    case 'range': {
      const [from, to, ...more] = Array.isArray(value.range) ? (value.range as unknown[]) : [];
      if (typeof from !== 'number' || typeof to !== 'number' || more.length > 0)
        return 'a range without two numbers';
      return { kind: 'range', from, to, ...target };
    }
    case 'regex': {
      const source = String(value.pattern ?? '');
      if (source === '' || source.length > patternMax) return 'a regex of no usable length';
      try {
        return { kind: 'regex', pattern: pythonPattern(source), ...target };
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
  // A list has elements, and no names such as `length`.
  const has = Array.isArray(value) ? typeof step === 'number' : true;
  const own = has && Object.hasOwn(value, step) ? [(value as Fields)[step]] : [];
  const next = step === '*' ? Object.values(value) : own;
  return next.flatMap((v) => found(v, rest));
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
    case 'among': {
      // Two statuses are alternatives; two numbers are the limits of any other number.
      const [from, to] = tolerance.values;
      const limits = tolerance.values.length === 2 && !isFields(answer);
      return limits
        ? Number(status) >= Number(from) && Number(status) <= Number(to)
        : tolerance.values.includes(status);
    }
    case 'range': {
      const { from, to, target = 'status' } = tolerance;
      const value = numberOf(aimed(answer, target));
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
      return isDeepStrictEqual(values, wanted);
    }
  }
}
