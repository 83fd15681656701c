/** A set of labels with its text ready, made once and used at every scrape. */

export class LabelSet {
  readonly pairs: readonly (readonly [string, string])[];
  /** `a="1",b="2"`, escaped, without braces. */
  readonly text: string;

  constructor(pairs: readonly (readonly [string, string])[]) {
    this.pairs = pairs;
    this.text = pairs.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(',');
  }

  with(name: string, value: string): LabelSet {
    return new LabelSet([...this.pairs, [name, value]]);
  }
}

export const noLabels = new LabelSet([]);

export const labelsOf = (labels: Readonly<Record<string, string>>): LabelSet =>
  new LabelSet(Object.entries(labels));

const escapes: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
const escapeLabel = (value: string): string =>
  value.replace(/[\\"\n]/g, (c) => escapes[c] as string);
