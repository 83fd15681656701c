/**
 * Explains why an alert's condition has no data: follows its expression through recording rules down to scraped
 * metrics, and names those without a series. A renamed metric makes an alert silent for ever.
 */
import type { Watch } from '../../alerts/watch/index.js';
import { formatDurationMs } from '../../base/duration.js';
import { type Expr, parse, walk } from '../../slo/promql/index.js';
import type { RecordingRule, RuleGroup } from '../../slo/rules/model.js';

type Selector = Extract<Expr, { kind: 'selector' }>;

/** Recording rules nested deeper than this are a cycle. */
const depthMax = 8;

export interface GapSources {
  watch: Pick<Watch, 'query'>;
  groups: readonly RuleGroup[];
  /** The stretch in which a series must exist. */
  startMs: number;
  endMs: number;
}

/** Returns, for example, `no series orders_total`; undefined if the condition had data to evaluate. Never throws. */
export async function gapOf(exprText: string, sources: GapSources): Promise<string | undefined> {
  try {
    const missing = await new Gaps(sources).missing(parse(exprText), 0);
    if (missing.length === 0) return undefined;
    const names = [...new Set(missing)];
    return `no series ${names.slice(0, 3).join(', ')}${names.length > 3 ? ' and more' : ''}`;
  } catch {
    return undefined;
  }
}

/**
 * Returns, for example, `no series orders_total{service="cart"} any more`: scraped series of the condition existed
 * before and not later, although their recording rules still have values. Undefined if no series was lost. Never
 * throws.
 */
export async function lostOf(
  exprText: string,
  before: GapSources,
  later: GapSources,
): Promise<string | undefined> {
  try {
    const leaves = leavesOf(parse(exprText), before.groups);
    const lost: string[] = [];
    for (const leaf of new Set(leaves)) {
      if ((await hasData(leaf, before)) && !(await hasData(leaf, later))) lost.push(leaf);
    }
    const more = lost.length > 3 ? ' and more' : '';
    return lost.length === 0
      ? undefined
      : `no series ${lost.slice(0, 3).join(', ')}${more} any more`;
  } catch {
    return undefined;
  }
}

/**
 * The scraped selectors of the expression, without those that must be absent. Each recorded series is followed once.
 */
function leavesOf(
  expr: Expr,
  groups: readonly RuleGroup[],
  followed = new Set<string>(),
): string[] {
  const leaves: string[] = [];
  walk(expr, (node, parents) => {
    const name = node.kind === 'selector' ? nameOf(node) : undefined;
    if (node.kind !== 'selector' || name === undefined || followed.has(name)) return;
    if (parents.some((p) => p.kind === 'call' && p.name.startsWith('absent'))) return;
    const records = groups
      .flatMap((group) => group.rules)
      .filter((rule) => rule.kind === 'record' && rule.record === name);
    if (records.length === 0) leaves.push(selectorText(node, name));
    else followed.add(name);
    for (const record of records) leaves.push(...leavesOf(parse(record.expr), groups, followed));
  });
  return leaves;
}

async function hasData(
  selector: string,
  { watch, startMs, endMs }: Omit<GapSources, 'groups'>,
): Promise<boolean> {
  const range = formatDurationMs(Math.max(1, Math.round(endMs - startMs)));
  const samples = await watch.query(`count(last_over_time(${selector}[${range}]))`, endMs);
  return (samples[0]?.value ?? 0) > 0;
}

class Gaps {
  readonly #sources: GapSources;
  readonly #known = new Map<string, Promise<boolean>>();

  constructor(sources: GapSources) {
    this.#sources = sources;
  }

  /** The reasons why the expression has no value; empty if it can have one. */
  async missing(expr: Expr, depth: number): Promise<string[]> {
    switch (expr.kind) {
      case 'number':
      case 'string':
        return [];
      case 'selector':
        return this.#missingSelector(expr, depth);
      case 'matrix':
        return this.#missingSelector(expr.selector, depth);
      case 'subquery':
      case 'paren':
      case 'unary':
      case 'aggregate':
        return this.missing(expr.expr, depth);
      case 'call': {
        // An `absent` function expects that there is no series.
        if (expr.name.startsWith('absent')) return [];
        return (await Promise.all(expr.args.map((a) => this.missing(a, depth)))).flat();
      }
      case 'binary': {
        const left = await this.missing(expr.left, depth);
        if (expr.op === 'unless') return left;
        const right = await this.missing(expr.right, depth);
        if (expr.op === 'or' && (left.length === 0 || right.length === 0)) return [];
        return [...left, ...right];
      }
    }
  }

  /** Data that exists now may not have existed at the offset, because a drill is short. */
  async #missingSelector(selector: Selector, depth: number): Promise<string[]> {
    const name = nameOf(selector);
    if (name === undefined) return [];
    const missing = await this.#missingNow(selector, name, depth);
    const { offset } = selector;
    if (missing.length > 0 || offset?.kind !== 'seconds' || offset.seconds <= 0) return missing;
    const { watch, startMs, endMs } = this.#sources;
    const text = selectorText(selector, name);
    const backMs = offset.seconds * 1000;
    const then = { watch, startMs: startMs - backMs, endMs: endMs - backMs };
    return (await hasData(text, then)) ? [] : [`${text} offset ${offset.text}`];
  }

  async #missingNow(selector: Selector, name: string, depth: number): Promise<string[]> {
    const recording = this.#recording(selector, name);
    if (recording.length === 0) return (await this.#has(name)) ? [] : [name];
    if (await this.#has(selectorText(selector, name))) return [];
    if (depth >= depthMax) return [name];
    const below = await Promise.all(recording.map((r) => this.missing(parse(r.expr), depth + 1)));
    if (below.some((b) => b.length === 0)) {
      // Every metric below exists, so the selectors' labels match no series.
      const unmatched = await Promise.all(recording.map((r) => this.#unmatched(parse(r.expr))));
      return unmatched.flat();
    }
    return below.flat();
  }

  /** Selectors whose metric exists, but without a series of these labels. */
  async #unmatched(expr: Expr): Promise<string[]> {
    const found: string[] = [];
    for (const selector of selectorsOf(expr)) {
      const name = nameOf(selector);
      if (name === undefined || this.#recording(selector, name).length > 0) continue;
      const text = selectorText(selector, name);
      if (!(await this.#has(text))) found.push(text);
    }
    return found;
  }

  #recording(selector: Selector, name: string): RecordingRule[] {
    const wanted = selector.matchers.filter((m) => m.op === '=');
    return this.#sources.groups.flatMap((group) =>
      group.rules.filter(
        (r): r is RecordingRule =>
          r.kind === 'record' &&
          r.record === name &&
          wanted.every((m) => (r.labels[m.name] ?? m.value) === m.value || m.name === '__name__'),
      ),
    );
  }

  #has(selector: string): Promise<boolean> {
    const known = this.#known.get(selector);
    if (known) return known;
    const asked = hasData(selector, this.#sources);
    this.#known.set(selector, asked);
    return asked;
  }
}

function selectorsOf(expr: Expr): Selector[] {
  const found: Selector[] = [];
  walk(expr, (node) => void (node.kind === 'selector' && found.push(node)));
  return found;
}

const nameOf = (selector: Selector): string | undefined =>
  selector.matchers.find((m) => m.name === '__name__' && m.op === '=')?.value;

function selectorText(selector: Selector, name: string): string {
  const matchers = selector.matchers
    .filter((m) => m.name !== '__name__')
    .map((m) => `${m.name}${m.op}${JSON.stringify(m.value)}`);
  return matchers.length === 0 ? name : `${name}{${matchers.join(',')}}`;
}
