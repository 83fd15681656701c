/** Checks that need PromQL or arithmetic, with the place of each mistake; problems are collected, not thrown. */
import type { Place, Problem } from '../../base/errors.js';
import { formatDurationMs } from '../../base/duration.js';
import type { Path, YamlDocument } from '../../base/yaml.js';
import { labelNameSchema, templateProblem } from './fields.js';
import { findQueryProblem, findRefusal, hasWindow, isBareSelector } from './query.js';

/** Whether slices of this length divide the shortest alert window, and consist of whole steps. */
export const isSlice = (lengthMs: number): boolean =>
  lengthMs >= 30_000 && 300_000 % lengthMs === 0 && lengthMs % 30_000 === 0;

/** Collects problems of one document under a path. */
export class Checker {
  readonly document: YamlDocument;
  readonly problems: Problem[] = [];
  /** Problems with input that is valid in its own format but not supported here. */
  readonly refused: Problem[] = [];

  constructor(document: YamlDocument) {
    this.document = document;
  }

  add(path: Path, message: string, expected?: string): void {
    this.#push(this.document.placeOf(path), message, expected);
  }

  refuse(path: Path, message: string, expected: string): void {
    this.refused.push({ place: this.document.placeOf(path), message, expected });
  }

  #push(place: Place, message: string, expected?: string): void {
    this.problems.push({ place, message, ...(expected === undefined ? {} : { expected }) });
  }

  /** Checks that a query parses. */
  query(path: Path, text: string): boolean {
    const problem = findQueryProblem(text) ?? findRefusal(text);
    if (!problem) return true;
    const place = this.document.placeWithin(path, problem.offset);
    this.#push(place, `${path.join('.')}: ${problem.message}`, problem.expected);
    return false;
  }

  /** Checks for a bare counter, or a query over `{{.window}}`. */
  windowed(path: Path, text: string): boolean {
    if (!this.query(path, text)) return false;
    if (hasWindow(text) || isBareSelector(text)) return true;
    this.add(
      path,
      `${path.join('.')}: the query has a fixed range or none`,
      'a bare counter, or {{.window}} where the range stands, such as rate(x[{{.window}}])',
    );
    return false;
  }

  /** Checks matchers that will stand within the braces of a selector. */
  matchers(path: Path, text: string): void {
    const selector = `x{${text}}`;
    const problem = findQueryProblem(selector) ?? findRefusal(selector);
    if (!problem && isBareSelector(selector)) return;
    const place = this.document.placeWithin(path, Math.max(0, (problem?.offset ?? 2) - 2));
    const message = problem?.message ?? 'these are no matchers';
    this.#push(place, `${path.join('.')}: ${message}`, 'matchers such as dst="cart.retail"');
  }

  /** Checks labels whose names or templates Prometheus would refuse; `at` finds the place of one. */
  labels(labels: Record<string, string>, at: (name: string) => Path): void {
    for (const [name, value] of Object.entries(labels)) {
      const message = labelNameSchema.safeParse(name).success
        ? templateProblem(value)
        : 'not the name of a label';
      if (message !== undefined) this.add(at(name), `label ${name}: ${message}`);
    }
  }

  selector(path: Path, text: string): boolean {
    if (!this.query(path, text)) return false;
    if (isBareSelector(text)) return true;
    this.add(path, `${path.join('.')}: not a selector`, 'a metric with matchers, such as x{a="b"}');
    return false;
  }

  /** A classic histogram counts only at its bounds; between them the result would be a guess. */
  bucket(path: Path, threshold: number, buckets: readonly number[] | undefined): void {
    if (!buckets || buckets.includes(threshold)) return;
    const sorted = [...buckets].sort((a, b) => a - b);
    const below = sorted.filter((b) => b < threshold).at(-1);
    const above = sorted.find((b) => b > threshold);
    const nearest = [below, above].filter((b) => b !== undefined).join(' or ');
    this.add(path, `${path.join('.')}: ${threshold} is no bucket boundary`, `${nearest}`);
  }

  /** Windows are made of base steps, and long ones of coarse steps, so the steps must divide them. */
  window(path: Path, longMs: number, shortMs: number): void {
    for (const windowMs of [longMs, shortMs]) {
      const grain = windowMs > 21_600_000 ? 240_000 : 60_000;
      if (windowMs % grain === 0) continue;
      const text = formatDurationMs(Math.round(windowMs));
      this.add(
        path,
        `${path.join('.')}: a window of ${text} is not made of whole steps`,
        `a multiple of ${formatDurationMs(grain)}`,
      );
    }
    if (shortMs >= longMs) {
      this.add(path, `${path.join('.')}: the short window is not shorter`, 'short below long');
    }
  }

  /** A slice must divide the shortest alert window, or that window would contain part of a slice. */
  slice(path: Path, lengthMs: number): void {
    if (isSlice(lengthMs)) return;
    this.add(
      path,
      `${path.join('.')}: slices of ${formatDurationMs(lengthMs)} do not divide the windows of 5m`,
      '30s, 1m, 2m30s or 5m',
    );
  }
}
