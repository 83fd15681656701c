/**
 * Tests repeatedly, while requests come, whether the new version fails more often than the old one, with a stated
 * chance of a false alarm.
 *
 * A mixture sequential probability ratio test on failures. With shares of the traffic n (new) and s (old), and equal
 * failure ratios, each failure is the new version's with the probability n / (n + s); with a ratio r times as high,
 * with r n / (r n + s). The evidence is the mean over some r > 1 of the products of these likelihood ratios. While the
 * new version is no worse, the evidence is a non-negative supermartingale with mean 1, so that it ever reaches 1 /
 * alpha with a probability of at most alpha, however often it is read and however the shares change in between.
 *
 * Sources: J. Ville, Étude critique de la notion de collectif, 1939 (the bound); H. Robbins, Statistical methods
 * related to the law of the iterated logarithm, Ann. Math. Statist. 41, 1970 (mixtures); M. Lindon and A. Malek,
 * Anytime-valid inference for multinomial count data, NeurIPS 2022 (counts of events of two versions at given shares).
 * Failures are drawn without replacement from the requests of a batch, which makes the test more cautious (W.
 * Hoeffding, 1963, theorem 4). The test assumes that requests fail independently of each other, given the version.
 */
export interface Counted {
  requests: number;
  bad: number;
}

export interface Both {
  stable: Counted;
  canary: Counted;
}

/** The factors by which the new version may fail more often, among which the test searches. */
const ratios: readonly number[] = [1.2, 1.5, 2, 3, 5, 10, 30, 100];

export class WorseTest {
  readonly #bar: number;
  /** A difference up to this factor does not matter. */
  readonly #margin: number;
  readonly #logs = new Float64Array(ratios.length);
  #highest = 0;

  /** `alpha`: the chance, above 0 and below 1, that a version which is no worse is ever found to be worse. */
  constructor(alpha: number, margin = 1) {
    this.#bar = Math.log(1 / alpha);
    this.#margin = margin;
  }

  /** Adds the counts since the last call, all at one share of the traffic. */
  add({ stable, canary }: Both): void {
    // Without requests to both versions there is no comparison.
    if (stable.requests <= 0 || canary.requests <= 0) return;
    const odds = (this.#margin * canary.requests) / stable.requests;
    ratios.forEach((ratio, i) => {
      // log(p1 / p0) and log((1 - p1) / (1 - p0)) with p = odds / (1 + odds).
      const less = Math.log1p(odds) - Math.log1p(ratio * odds);
      const own = (this.#logs[i] ?? 0) + canary.bad * (Math.log(ratio) + less) + stable.bad * less;
      this.#logs[i] = own;
    });
    this.#highest = Math.max(this.#highest, this.#logEvidence());
  }

  /** The highest evidence so far: chance alone reaches 20 in at most one of 20 roll-outs. */
  get evidence(): number {
    return Math.exp(Math.min(700, this.#highest));
  }

  get isWorse(): boolean {
    return this.#highest >= this.#bar;
  }

  #logEvidence(): number {
    const most = Math.max(...this.#logs);
    const sum = this.#logs.reduce((all, one) => all + Math.exp(one - most), 0);
    return most + Math.log(sum / ratios.length);
  }
}
