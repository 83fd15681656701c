/** The labels of a series: sorted, immutable, and compared by one canonical text. */

export const metricNameLabel = '__name__';
const metadataLabels: ReadonlySet<string> = new Set(['__name__', '__type__', '__unit__']);

/** Whether a label says what the metric is: its name, type or unit, which are dropped together. */
export const isMetadataLabel = (name: string): boolean => metadataLabels.has(name);

export class Labels {
  static readonly empty = new Labels([], []);

  /** Sorted names of the labels; none has an empty value. */
  readonly names: readonly string[];
  readonly values: readonly string[];
  #key: string | undefined;
  #nameless: Labels | undefined;

  private constructor(names: readonly string[], values: readonly string[]) {
    this.names = names;
    this.values = values;
  }

  /** Leaves out labels with an empty value, which PromQL treats as absent. */
  static of(record: Readonly<Record<string, string>>): Labels {
    return Labels.fromEntries(Object.entries(record));
  }

  /** A later entry replaces an earlier one of the same name. */
  static fromEntries(entries: Iterable<readonly [string, string]>): Labels {
    const map = new Map(entries);
    const names = [...map.keys()].filter((n) => map.get(n) !== '').sort();
    if (names.length === 0) return Labels.empty;
    return new Labels(
      names,
      names.map((n) => map.get(n) as string),
    );
  }

  get size(): number {
    return this.names.length;
  }

  /** The label's value; empty if there is no such label. */
  get(name: string): string {
    const i = this.names.indexOf(name);
    return i < 0 ? '' : (this.values[i] as string);
  }

  get metricName(): string {
    return this.get(metricNameLabel);
  }

  /** A text that is equal exactly for equal labels. */
  get key(): string {
    if (this.#key === undefined) {
      let key = '';
      for (let i = 0; i < this.names.length; i++) {
        key += `${this.names[i] as string}\u0000${this.values[i] as string}\u0001`;
      }
      this.#key = key;
    }
    return this.#key;
  }

  /** The labels without the metric's name (and its type and unit, if labels hold these). */
  withoutName(): Labels {
    this.#nameless ??= this.names.some(isMetadataLabel)
      ? this.filter((n) => !isMetadataLabel(n))
      : this;
    return this.#nameless;
  }

  filter(keep: (name: string) => boolean): Labels {
    const names: string[] = [];
    const values: string[] = [];
    for (let i = 0; i < this.names.length; i++) {
      const name = this.names[i] as string;
      if (!keep(name)) continue;
      names.push(name);
      values.push(this.values[i] as string);
    }
    return names.length === 0 ? Labels.empty : new Labels(names, values);
  }

  keep(names: readonly string[]): Labels {
    return this.filter((n) => names.includes(n));
  }

  without(names: readonly string[]): Labels {
    return this.filter((n) => !names.includes(n));
  }

  /** Sets a label; the empty text removes it. */
  with(name: string, value: string): Labels {
    return Labels.fromEntries([...this.entries(), [name, value]]);
  }

  *entries(): IterableIterator<[string, string]> {
    for (let i = 0; i < this.names.length; i++) {
      yield [this.names[i] as string, this.values[i] as string];
    }
  }

  toObject(): Record<string, string> {
    return Object.fromEntries(this.entries());
  }

  /** The series as Prometheus writes it: `up{job="a"}`. */
  toString(): string {
    const name = this.metricName;
    const bare = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
    const rest = [...this.entries()]
      .filter(([n]) => n !== metricNameLabel || !bare)
      .map(([n, v]) => (n === metricNameLabel ? quote(v) : `${labelName(n)}=${quote(v)}`));
    if (bare && rest.length === 0) return name;
    return `${bare ? name : ''}{${rest.join(', ')}}`;
  }

  /** The metric's name is written as a label, as in Prometheus' errors. */
  toBraces(): string {
    return `{${[...this.entries()].map(([n, v]) => `${labelName(n)}=${quote(v)}`).join(', ')}}`;
  }

  toJSON(): Record<string, string> {
    return this.toObject();
  }

  /** Prometheus's order of series: by name and value, label by label. */
  static compare(a: Labels, b: Labels): number {
    const common = Math.min(a.names.length, b.names.length);
    for (let i = 0; i < common; i++) {
      const [nameA, nameB] = [a.names[i] as string, b.names[i] as string];
      if (nameA !== nameB) return nameA < nameB ? -1 : 1;
      const [valueA, valueB] = [a.values[i] as string, b.values[i] as string];
      if (valueA !== valueB) return valueA < valueB ? -1 : 1;
    }
    return a.names.length - b.names.length;
  }
}

/** A label's name as PromQL requires it: quoted unless it is a plain identifier. */
export function labelName(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quote(name);
}

const escapes: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r' };

/** A text as a string literal of PromQL. */
export function quote(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const escaped = text.replace(/[\\"\u0000-\u001f\u007f]/g, (c) => {
    if (c === '\t') return '\\t';
    return escapes[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

/** Any non-empty text that is valid UTF-8 (decoding has marked invalid bytes). */
export function isLabelName(name: string): boolean {
  return name !== '' && !name.includes('\ufffd');
}
