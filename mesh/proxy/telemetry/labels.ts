/** A set of labels with its text ready, made once and used at every scrape. */

type Pairs = readonly (readonly [string, string])[];

export class LabelSet {
  /** `a="1",b="2"`, escaped, without braces. */
  readonly text: string;
  readonly #pairs: Pairs;
  readonly #before: LabelSet | undefined;

  constructor(pairs: Pairs, before?: LabelSet) {
    const own = pairs.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(',');
    this.text = before === undefined || before.text === '' ? own : `${before.text},${own}`;
    this.#pairs = pairs;
    this.#before = before;
  }

  /** All pairs; used only by the protobuf exposition. */
  get pairs(): Pairs {
    return this.#before ? [...this.#before.pairs, ...this.#pairs] : this.#pairs;
  }

  with(name: string, value: string): LabelSet {
    return new LabelSet([[name, value]], this);
  }
}

export const noLabels = new LabelSet([]);

export const labelsOf = (labels: Readonly<Record<string, string>>): LabelSet =>
  new LabelSet(Object.entries(labels));

const special = /[\\"\n]/;
const escapes: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
const escapeLabel = (value: string): string =>
  special.test(value) ? value.replace(/[\\"\n]/g, (c) => escapes[c] as string) : value;
