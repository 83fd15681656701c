/**
 * Reads experiments of the Chaos Toolkit. Programs and HTTP requests are supported; Python, vaults and third-party
 * controls are refused by name and place, before anything is touched.
 */
import { formatProblem, type Problem, UserError } from '../../base/errors.js';
import { type Path, readYaml, type YamlDocument } from '../../base/yaml.js';
import { readTolerance, type Tolerance } from './tolerance.js';

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

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The toolkit's own default timeout. */
const timeoutByDefaultMs = 60_000;
const timeoutMaxMs = 3_600_000;

/** Throws a UserError with every place that cannot be run. `env` provides the values of `{ type: env }`. */
export function readExperiment(file: string, env: NodeJS.ProcessEnv = process.env): Experiment {
  const [document, ...more] = readYaml(file);
  if (!document || more.length > 0 || !isFields(document.value)) {
    throw new UserError({ message: `${file}: not an experiment`, expected: 'one object' });
  }
  if ('experiment' in document.value && 'run' in document.value) {
    throw new UserError({
      place: document.placeOf([]),
      message: 'this is a journal: what a run of an experiment left',
      expected: 'the experiment itself',
    });
  }
  const reader = new Reader(document, env);
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
  const env = new Proxy(process.env, {
    get: (own, name: string) => {
      if (own[name] !== undefined) return own[name];
      needs.add(name);
      return 'http://not.known';
    },
  });
  try {
    readExperiment(file, env);
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

class Reader {
  readonly problems: Problem[] = [];
  readonly #document: YamlDocument;
  readonly #env: NodeJS.ProcessEnv;
  readonly #values = new Map<string, unknown>();
  readonly #remarks: string[] = [];
  /** By name, for `ref`. */
  readonly #written = new Map<string, { value: Fields; path: Path }>();

  constructor(document: YamlDocument, env: NodeJS.ProcessEnv) {
    this.#document = document;
    this.#env = env;
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
    if (!Array.isArray(value.method)) this.#refuse(['method'], 'no method', 'a list, [] for none');
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
    if (!isFields(value)) return both;
    const rollbacks = isFields(value.rollbacks) ? value.rollbacks.strategy : undefined;
    if (rollbacks === 'never') {
      this.#refuse(['runtime', 'rollbacks', 'strategy'], 'rollbacks that are never done', 'always');
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
    if (!Array.isArray(value)) return;
    value.forEach((control, i) => {
      const name = isFields(control) ? String(control.name ?? '') : '';
      this.#refuse([...path, i], `the control '${name}' is not supported: controls are Python`);
    });
  }

  /** Reads values by name; a secret's values are one group deeper. */
  #take(value: unknown, path: Path, isSecret: boolean): void {
    if (!isFields(value)) return;
    for (const [name, own] of Object.entries(value)) {
      const at = [...path, name];
      if (isFields(own) && own.type === 'env') {
        const key = String(own.key ?? '');
        const found = this.#env[key] ?? own.default;
        if (found === undefined) this.#refuse(at, `the environment has no ${key}`);
        else this.#values.set(name, found);
      } else if (isFields(own) && typeof own.type === 'string') {
        this.#refuse(
          at,
          `${isSecret ? 'secrets' : 'values'} of type '${own.type}' are not supported`,
          'env, or the value itself',
        );
      } else if (isSecret && isFields(own)) {
        this.#take(own, at, false);
      } else this.#values.set(name, own);
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
    if (!Array.isArray(value)) return [];
    return value.flatMap((own: unknown, i) => this.#activity(own, [...path, i], isProbes) ?? []);
  }

  #activity(own: unknown, path: Path, mustHold: boolean): Activity | undefined {
    if (!isFields(own)) {
      this.#refuse(path, 'not an activity', '{ type, name, provider }');
      return undefined;
    }
    if (typeof own.ref === 'string') {
      const found = this.#written.get(own.ref);
      if (found) return this.#activity(found.value, found.path, mustHold);
      this.#refuse([...path, 'ref'], `no activity is called '${own.ref}'`);
      return undefined;
    }
    const { type, name } = own;
    if (type !== 'probe' && type !== 'action') this.#refuse(path, 'no type', 'probe or action');
    if (typeof name !== 'string') this.#refuse(path, 'no name', 'a text');
    this.#noControls(own.controls, [...path, 'controls']);
    const provider = this.#provider(own.provider, [...path, 'provider']);
    const tolerance = this.#tolerance(own.tolerance, [...path, 'tolerance'], mustHold);
    if (!provider) return undefined;
    const pauses = isFields(own.pauses) ? own.pauses : {};
    return {
      type: type === 'probe' ? 'probe' : 'action',
      name: String(name),
      provider,
      tolerance,
      pauseBeforeMs: this.#seconds(pauses.before, [...path, 'pauses', 'before'], 0),
      pauseAfterMs: this.#seconds(pauses.after, [...path, 'pauses', 'after'], 0),
      background: own.background === true,
    };
  }

  #tolerance(value: unknown, path: Path, mustHold: boolean): Tolerance | undefined {
    if (value === undefined || value === null) {
      if (mustHold) this.#refuse(path, 'a probe of the hypothesis without tolerance');
      return undefined;
    }
    const found = readTolerance(this.#filled(value));
    if (typeof found !== 'string') return found;
    this.#refuse(path, found, 'a value, a range, a regex or a plain jsonpath');
    return undefined;
  }

  #provider(value: unknown, path: Path): Provider | undefined {
    if (!isFields(value)) {
      this.#refuse(path, 'no provider', '{ type: process, path }, or { type: http, url }');
      return undefined;
    }
    const timeoutMs = this.#timeout(value.timeout, [...path, 'timeout']);
    switch (value.type) {
      case 'process': {
        const program = this.#text(value.path, [...path, 'path']);
        const env = textsOf(this.#filled(value.env));
        const argv = argumentsOf(this.#filled(value.arguments));
        return { type: 'process', path: program, arguments: argv, env, timeoutMs };
      }
      case 'http': {
        const url = this.#text(value.url, [...path, 'url']);
        if (!/^https?:\/\//.test(url)) this.#refuse([...path, 'url'], `'${url}' is no web address`);
        const given = this.#filled(value.arguments);
        return {
          type: 'http',
          url,
          method: String(value.method ?? 'GET').toUpperCase(),
          headers: textsOf(this.#filled(value.headers)),
          arguments: isFields(given) ? given : undefined,
          expectedStatus:
            typeof value.expected_status === 'number' ? value.expected_status : undefined,
          timeoutMs,
          verifyTls: value.verify_tls !== false,
        };
      }
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

  /** Replaces `${name}` by its value, at any depth; a text that consists of one name keeps the value's type. */
  #filled(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((own) => this.#filled(own));
    if (isFields(value)) {
      return Object.fromEntries(Object.entries(value).map(([k, own]) => [k, this.#filled(own)]));
    }
    if (typeof value !== 'string') return value;
    const whole = /^\$\{([\w.-]+)\}$/.exec(value)?.[1];
    if (whole !== undefined && this.#values.has(whole)) return this.#values.get(whole);
    return value.replaceAll(/\$\{([\w.-]+)\}/g, (text, name: string) =>
      this.#values.has(name) ? String(this.#values.get(name)) : text,
    );
  }
}

const textsOf = (value: unknown): Record<string, string> =>
  isFields(value)
    ? Object.fromEntries(Object.entries(value).map(([k, own]) => [k, String(own)]))
    : {};

function argumentsOf(value: unknown): string | string[] {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(String);
  if (!isFields(value)) return [];
  return Object.entries(value).flatMap(([k, own]) =>
    own === null || own === '' ? [k] : [k, String(own)],
  );
}
