/**
 * Reads experiments of the Chaos Toolkit. Programs and HTTP requests are supported; Python, vaults and third-party
 * controls are refused by name and place, before anything is touched.
 */
import { formatProblem, messageOf, type Problem, UserError } from '../../base/errors.js';
import { type Path, readYaml, type YamlDocument } from '../../base/yaml.js';
import { inputName } from '../../base/input.js';
import { type Fields, isFields } from './fields.js';
import { readTolerance, type Tolerance } from './tolerance.js';
import { environmentValue, filled } from './values.js';

export type Provider =
  | {
      type: 'process';
      path: string;
      /** A single text is for the shell, after the path. */
      arguments: string | string[];
      env: Record<string, string>;
      timeoutMs: number;
    }
  | {
      type: 'http';
      url: string;
      method: string;
      headers: Record<string, string>;
      /** Arguments go to the query of a GET, and to the body of other methods. */
      arguments: Record<string, unknown> | undefined;
      expectedStatus: number | undefined;
      timeoutMs: number;
      verifyTls: boolean;
    };

export interface Activity {
  type: 'probe' | 'action';
  name: string;
  provider: Provider;
  tolerance: Tolerance | undefined;
  pauseBeforeMs: number;
  pauseAfterMs: number;
  background: boolean;
}

export interface Experiment {
  file: string;
  title: string;
  hypothesis: { title: string; probes: Activity[] } | undefined;
  /** The times at which the hypothesis is checked. */
  checked: { before: boolean; after: boolean };
  method: Activity[];
  rollbacks: Activity[];
  /** The ignored parts, as sentences. */
  remarks: string[];
}

/** The toolkit's own default timeout. */
const timeoutByDefaultMs = 60_000;
const timeoutMaxMs = 3_600_000;

/** Throws a UserError with every place that cannot be run. */
export function readExperiment(file: string): Experiment {
  return readWith(file, undefined);
}

/** `needs` takes the names of missing environment variables, instead of a problem for each. */
function readWith(file: string, needs: Set<string> | undefined): Experiment {
  const [document, ...more] = readYaml(file);
  if (!document || more.length > 0 || !isFields(document.value)) {
    throw new UserError({
      message: `${inputName(file)}: not an experiment`,
      expected: 'one object',
    });
  }
  if ('experiment' in document.value && 'run' in document.value) {
    throw new UserError({
      place: document.placeOf([]),
      message: 'this is a journal: what a run of an experiment left',
      expected: 'the experiment itself',
    });
  }
  const reader = new Reader(document, needs);
  const experiment = reader.experiment(document.value);
  if (reader.problems.length > 0) throw new UserError(reader.problems);
  return experiment;
}

export interface Readability {
  /** The problems of a file, one per line; empty if it can be run. */
  refused: string[];
  /** Missing environment variables that the experiment requires. */
  needs: string[];
}

/** Whether the experiment could be run in an environment with the variables that it reads. */
export function readabilityOf(file: string): Readability {
  const needs = new Set<string>();
  try {
    readWith(file, needs);
    return { refused: [], needs: [...needs] };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { refused: error.problems.map(formatProblem), needs: [...needs] };
  }
}

const known = new Set(
  (
    'title description method steady-state-hypothesis rollbacks configuration secrets controls tags ' +
    'extensions contributions runtime version'
  ).split(' '),
);

const activityFields =
  'type name ref provider tolerance pauses background controls tags secrets configuration'.split(
    ' ',
  );
const providerFields = {
  process: 'type path arguments env timeout secrets'.split(' '),
  http: 'type url method headers arguments expected_status timeout verify_tls max_retries secrets'.split(
    ' ',
  ),
};

/** A status is a number. */
const neverHolds = (tolerance: Tolerance): boolean =>
  (tolerance.kind === 'value' && typeof tolerance.value !== 'number') ||
  (tolerance.kind === 'among' && !tolerance.values.some((own) => typeof own === 'number'));

class Reader {
  readonly problems: Problem[] = [];
  readonly #document: YamlDocument;
  readonly #needs: Set<string> | undefined;
  readonly #values = new Map<string, unknown>();
  readonly #remarks: string[] = [];
  /** By name, for `ref`. */
  readonly #written = new Map<string, { value: Fields; path: Path }>();

  constructor(document: YamlDocument, needs: Set<string> | undefined) {
    this.#document = document;
    this.#needs = needs;
  }

  #refuse(path: Path, message: string, expected?: string): void {
    const place = this.#document.placeOf(path);
    this.problems.push({ place, message, ...(expected !== undefined && { expected }) });
  }

  experiment(value: Fields): Experiment {
    for (const name of Object.keys(value)) {
      if (!known.has(name)) this.#refuse([name], `unknown field '${name}'`, [...known].join(', '));
    }
    if (typeof value.title !== 'string') this.#refuse(['title'], 'no title', 'a text');
    this.#take(value.configuration, ['configuration'], false);
    this.#take(value.secrets, ['secrets'], true);
    this.#noControls(value.controls, ['controls']);
    const checked = this.#runtime(value.runtime);
    if (Array.isArray(value.extensions) && value.extensions.length > 0) {
      this.#remarks.push('extensions are passed over');
    }
    const stated = value['steady-state-hypothesis'];
    this.#collect(stated, ['steady-state-hypothesis', 'probes']);
    this.#collect(value, ['method']);
    const method = this.#activities(value.method, ['method']);
    return {
      file: this.#document.file,
      title: typeof value.title === 'string' ? value.title : '',
      hypothesis: this.#hypothesis(stated),
      checked,
      method,
      rollbacks: this.#activities(value.rollbacks ?? [], ['rollbacks']),
      remarks: this.#remarks,
    };
  }

  #hypothesis(value: unknown): Experiment['hypothesis'] {
    if (value === undefined || value === null) return undefined;
    const path = ['steady-state-hypothesis'];
    if (!isFields(value)) {
      this.#refuse(path, 'not a hypothesis', '{ title, probes }');
      return undefined;
    }
    this.#noControls(value.controls, [...path, 'controls']);
    const probes = this.#activities(value.probes ?? [], [...path, 'probes'], true);
    return { title: typeof value.title === 'string' ? value.title : '', probes };
  }

  /** Refuses a strategy that leaves faults active; returns the times of the hypothesis's checks. */
  #runtime(value: unknown): Experiment['checked'] {
    const both = { before: true, after: true };
    if (value === undefined || value === null) return both;
    if (!isFields(value)) {
      this.#refuse(['runtime'], 'no settings', '{ hypothesis, rollbacks }');
      return both;
    }
    const rollbacks = isFields(value.rollbacks) ? value.rollbacks.strategy : undefined;
    if (!['default', 'always', 'deviated'].includes(String(rollbacks ?? 'always'))) {
      const never = rollbacks === 'never' ? 'rollbacks that are never done' : undefined;
      const message = never ?? `the rollbacks strategy '${String(rollbacks)}' is not known`;
      this.#refuse(['runtime', 'rollbacks', 'strategy'], message, 'always, deviated or default');
    }
    const strategy = isFields(value.hypothesis) ? value.hypothesis.strategy : 'default';
    switch (strategy) {
      case undefined:
      case 'default':
        return both;
      case 'before-method-only':
        return { before: true, after: false };
      case 'after-method-only':
        return { before: false, after: true };
      default: {
        const expected = 'default, before-method-only or after-method-only';
        const path = ['runtime', 'hypothesis', 'strategy'];
        this.#refuse(
          path,
          `the hypothesis strategy '${String(strategy)}' is not supported`,
          expected,
        );
        return both;
      }
    }
  }

  #noControls(value: unknown, path: Path): void {
    const list = Array.isArray(value) ? (value as unknown[]) : value ? [value] : [];
    list.forEach((control, i) => {
      const name = isFields(control) ? String(control.name ?? '') : '';
      const at = Array.isArray(value) ? [...path, i] : path;
      this.#refuse(at, `the control '${name}' is not supported: controls are Python`);
    });
  }

  /** Reads values by name; a secret's values are one group deeper, and a configuration's value hides a secret. */
  #take(value: unknown, path: Path, isSecret: boolean): void {
    if (value === undefined || value === null) return;
    if (!isFields(value)) {
      this.#refuse(path, 'no values by name', isSecret ? '{ GROUP: { NAME: … } }' : '{ NAME: … }');
      return;
    }
    for (const [name, own] of Object.entries(value)) {
      const at = [...path, name];
      if (isFields(own) && own.type === 'env') this.#fromEnvironment(name, own, at);
      else if (isFields(own) && typeof own.type === 'string') {
        const message = `${isSecret ? 'secrets' : 'values'} of type '${own.type}' are not supported`;
        this.#refuse(at, message, 'env, or the value itself');
      } else if (isSecret && isFields(own)) this.#take(own, at, false);
      else this.#set(name, own);
    }
  }

  #set(name: string, value: unknown): void {
    if (!this.#values.has(name)) this.#values.set(name, value);
  }

  #fromEnvironment(name: string, own: Fields, at: Path): void {
    const key = String(own.key ?? '');
    if (this.#needs && process.env[key] === undefined && !('default' in own)) {
      this.#needs.add(key);
      const isText = ['str', 'string'].includes(String(own.env_var_type ?? 'str'));
      this.#set(name, isText ? 'http://not.known' : 1);
      return;
    }
    const found = environmentValue(own, process.env);
    if ('value' in found) this.#set(name, found.value);
    else {
      this.#refuse(at, found.why, found.expected);
      // Its places are not told as well.
      this.#set(name, 1);
    }
  }

  #collect(owner: unknown, path: Path): void {
    const list = isFields(owner) ? owner[path.at(-1) as string] : undefined;
    if (!Array.isArray(list)) return;
    list.forEach((value: unknown, i) => {
      if (isFields(value) && typeof value.name === 'string') {
        this.#written.set(value.name, { value, path: [...path, i] });
      }
    });
  }

  #activities(value: unknown, path: Path, isProbes = false): Activity[] {
    if (!Array.isArray(value)) {
      this.#refuse(path, 'no list', 'a list of activities');
      return [];
    }
    return value.flatMap((own: unknown, i) => this.#activity(own, [...path, i], isProbes) ?? []);
  }

  #activity(own: unknown, path: Path, mustHold: boolean): Activity | undefined {
    if (!isFields(own)) {
      this.#refuse(path, 'not an activity', '{ type, name, provider }');
      return undefined;
    }
    if (own.ref !== undefined) return this.#referred(own.ref, [...path, 'ref'], mustHold);
    this.#onlyKnown(own, path, activityFields);
    const { type, name, background } = own;
    if (type !== 'probe' && type !== 'action') this.#refuse(path, 'no type', 'probe or action');
    if (typeof name !== 'string') this.#refuse(path, 'no name', 'a text');
    if (!['undefined', 'boolean'].includes(typeof background)) {
      this.#refuse([...path, 'background'], 'neither true nor false', 'true or false');
    }
    this.#noControls(own.controls, [...path, 'controls']);
    const provider = this.#provider(own.provider, [...path, 'provider']);
    const tolerance = this.#tolerance(own.tolerance, [...path, 'tolerance'], mustHold);
    if (!provider) return undefined;
    return {
      type: type === 'probe' ? 'probe' : 'action',
      name: String(name),
      provider,
      tolerance,
      ...this.#pauses(own.pauses, [...path, 'pauses']),
      background: background === true,
    };
  }

  /** The activity of that name; one that is itself a `ref` is no such activity. */
  #referred(name: unknown, path: Path, mustHold: boolean): Activity | undefined {
    const found = this.#written.get(String(name));
    if (found && found.value.ref === undefined) {
      return this.#activity(found.value, found.path, mustHold);
    }
    this.#refuse(path, `no activity is called '${String(name)}'`);
    return undefined;
  }

  #onlyKnown(own: Fields, path: Path, fields: readonly string[]): void {
    for (const name of Object.keys(own)) {
      if (fields.includes(name)) continue;
      this.#refuse([...path, name], `unknown field '${name}'`, fields.join(', '));
    }
  }

  #pauses(value: unknown, path: Path): { pauseBeforeMs: number; pauseAfterMs: number } {
    if (value !== undefined && !isFields(value)) {
      this.#refuse(path, 'no pauses', '{ before: SECONDS, after: SECONDS }');
    }
    const own = isFields(value) ? value : {};
    this.#onlyKnown(own, path, ['before', 'after']);
    return {
      pauseBeforeMs: this.#seconds(own.before, [...path, 'before'], 0),
      pauseAfterMs: this.#seconds(own.after, [...path, 'after'], 0),
    };
  }

  #tolerance(value: unknown, path: Path, mustHold: boolean): Tolerance | undefined {
    if (value === undefined || value === null) {
      if (mustHold) this.#refuse(path, 'a probe of the hypothesis without tolerance');
      return undefined;
    }
    const found = readTolerance(this.#filled(value));
    if (typeof found === 'string') {
      this.#refuse(path, found, 'a value, a range, a regex or a plain jsonpath');
      return undefined;
    }
    if (neverHolds(found)) {
      const message = 'this never holds: a program and an address answer with a status';
      this.#refuse(path, message, 'a number (env_var_type: int makes one), or a list of numbers');
    }
    return found;
  }

  #provider(value: unknown, path: Path): Provider | undefined {
    if (!isFields(value)) {
      this.#refuse(path, 'no provider', '{ type: process, path }, or { type: http, url }');
      return undefined;
    }
    const timeoutMs = this.#timeout(value.timeout, [...path, 'timeout']);
    switch (value.type) {
      case 'process': {
        this.#onlyKnown(value, path, providerFields.process);
        const program = this.#text(value.path, [...path, 'path']);
        const env = textsOf(this.#filled(value.env));
        const argv = argumentsOf(this.#filled(value.arguments));
        return { type: 'process', path: program, arguments: argv, env, timeoutMs };
      }
      case 'http':
        return this.#address(value, path, timeoutMs);
      case 'python': {
        const what = `${String(value.module)}.${String(value.func)}`;
        this.#refuse(
          path,
          `the Python function ${what} is not supported`,
          'provider: process or http',
        );
        return undefined;
      }
      default:
        this.#refuse(
          path,
          `the provider '${String(value.type)}' is not supported`,
          'process or http',
        );
        return undefined;
    }
  }

  #address(value: Fields, path: Path, timeoutMs: number): Provider {
    this.#onlyKnown(value, path, providerFields.http);
    const url = this.#text(value.url, [...path, 'url']);
    const given = this.#filled(value.arguments);
    const method = String(value.method ?? 'GET').toUpperCase();
    const headers = this.#filled(value.headers);
    if (headers !== undefined && !isFields(headers)) {
      this.#refuse([...path, 'headers'], 'no headers', '{ NAME: VALUE }');
    }
    this.#must([...path, 'url'], () => {
      if (!/^https?:/.test(new URL(url).protocol)) throw new Error(`'${url}' is no web address`);
    });
    this.#must([...path, 'method'], () => void new Request('http://x', { method }));
    this.#must([...path, 'headers'], () => void new Headers(textsOf(headers)));
    return {
      type: 'http',
      url,
      method,
      headers: textsOf(headers),
      arguments: isFields(given) ? given : undefined,
      expectedStatus: typeof value.expected_status === 'number' ? value.expected_status : undefined,
      timeoutMs,
      verifyTls: value.verify_tls !== false,
    };
  }

  /** Refuses the place where `check` throws. */
  #must(path: Path, check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#refuse(path, messageOf(error));
    }
  }

  #text(value: unknown, path: Path): string {
    const found = this.#filled(value);
    if (typeof found === 'string' && found !== '') return found;
    this.#refuse(path, 'nothing is said here', 'a text');
    return '';
  }

  /** The timeout of a connection and of an answer: the longer one applies to the whole request. */
  #timeout(value: unknown, path: Path): number {
    const filled = this.#filled(value);
    const list = Array.isArray(filled) ? (filled as unknown[]) : [filled];
    return Math.max(...list.map((one) => this.#seconds(one, path, timeoutByDefaultMs)));
  }

  #seconds(value: unknown, path: Path, otherwise: number): number {
    const filled = this.#filled(value);
    if (filled === undefined || filled === null) return otherwise;
    const ms = Number(filled) * 1000;
    if (ms >= 0 && ms <= timeoutMaxMs) return ms;
    this.#refuse(path, `'${String(filled)}' is no time`, 'seconds, an hour at most');
    return otherwise;
  }

  #filled(value: unknown): unknown {
    return filled(value, this.#values);
  }
}

const textsOf = (value: unknown): Record<string, string> =>
  isFields(value)
    ? Object.fromEntries(Object.entries(value).map(([k, own]) => [k, String(own)]))
    : {};

function argumentsOf(value: unknown): string | string[] {
  if (typeof value === 'string') return value;
  const all = isFields(value) ? Object.entries(value).flat() : value;
  // As in the Chaos Toolkit, nothing and an empty text are no arguments.
  return Array.isArray(all) ? all.filter((own) => own !== null && own !== '').map(String) : [];
}
