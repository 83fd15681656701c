/** Which OpenSLO objects are valid and cannot be read here, by name: sources other than Prometheus, and composites. */
import type { Problem } from '../../base/errors.js';
import type { Path, YamlDocument } from '../../base/yaml.js';
import type { Version } from './openslo-schema.js';

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((of, key) => (isFields(of) ? of[String(key)] : undefined), value);
const isForeign = (type: unknown): type is string =>
  typeof type === 'string' && !/^prometheus$/i.test(type);

/** Fields that only the objectives of a composite have. */
const compositeFields = ['indicator', 'indicatorRef', 'sli', 'sliRef', 'compositeWeight'];

export class Refusals {
  readonly problems: Problem[] = [];
  /** `kind/name` of each refused object. */
  readonly names = new Set<string>();
  /** The types of the sources that the documents define, by name. */
  readonly #types = new Map<unknown, unknown>();

  constructor(documents: readonly YamlDocument[]) {
    for (const { value } of documents) {
      if (at(value, ['kind']) !== 'DataSource') continue;
      this.#types.set(at(value, ['metadata', 'name']), at(value, ['spec', 'type']));
    }
  }

  /** Whether the object is refused; its fields need not be right, since other sources have their own. */
  refuses(document: YamlDocument, version: Version): boolean {
    const before = this.problems.length;
    const kind = at(document.value, ['kind']);
    if (kind === 'DataSource') this.#source(document, ['spec', 'type']);
    if (kind === 'SLO' || kind === 'SLI') this.#metrics(document, ['spec'], version);
    if (kind === 'SLO') this.#composite(document);
    if (this.problems.length === before) return false;
    this.names.add(`${kind}/${String(at(document.value, ['metadata', 'name']))}`);
    return true;
  }

  #source(document: YamlDocument, path: Path, type = at(document.value, path)): void {
    if (!isForeign(type)) return;
    this.#push(document, path, `a source of type ${type}`);
  }

  #push(document: YamlDocument, path: Path, message: string): void {
    this.problems.push({ place: document.placeOf(path), message, expected: 'Prometheus' });
  }

  /** Walks the fields of an SLO or SLI down to its metrics. */
  #metrics(document: YamlDocument, path: Path, version: Version): void {
    const value = at(document.value, path);
    if (!isFields(value)) return;
    if (path.at(-1) === 'ratioMetric' && value.counter === false) {
      this.problems.push({
        place: document.placeOf([...path, 'counter']),
        message: 'a ratio of gauges, which cannot be added up',
        expected: 'cumulative counters, counter: true',
      });
    }
    const source = [...path, ...version.source, 'type'];
    const ref = [...path, ...version.sourceRef];
    this.#source(document, source);
    const name = at(document.value, ref);
    if (this.#types.has(name)) this.#source(document, ref, this.#types.get(name));
    else if (typeof name === 'string' && at(value, version.query) === undefined) {
      this.#push(document, ref, `the source '${name}', which is asked without a query`);
    }
    for (const key of Object.keys(value)) this.#metrics(document, [...path, key], version);
  }

  #composite(document: YamlDocument): void {
    const objectives = at(document.value, ['spec', 'objectives']);
    if (!Array.isArray(objectives)) return;
    objectives.forEach((objective: unknown, i) => {
      const field = compositeFields.find((name) => at(objective, [name]) !== undefined);
      if (field === undefined) return;
      this.problems.push({
        place: document.placeOfKey(['spec', 'objectives', i, field]),
        message: 'a composite, which adds up burn rates',
        expected: 'an SLO for each objective, or a chain of firedrill.dev/v1 for their sum',
      });
    });
  }
}
