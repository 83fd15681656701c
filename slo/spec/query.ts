/** PromQL in specs: checked with places, and rewritten from rates over a window into exact increments. */
import type { SyntaxNode, Tree } from '@lezer/common';
import { PromqlError } from '../promql/syntax/error.js';
import { parse as parsePromql } from '../promql/syntax/parse.js';
import { treeOf } from '../promql/syntax/tree.js';
import { typeNames, typeOf } from '../promql/syntax/types.js';

const windowPattern = /\{\{\s*\.window\s*\}\}/g;

/** The last parsed queries, because each is examined several times in a row. */
const recent = new Map<string, Tree>();
const recentMax = 4096;

function parse(text: string): Tree {
  let tree = recent.get(text);
  if (!tree) {
    tree = treeOf(text);
    if (recent.size >= recentMax) recent.clear();
    recent.set(text, tree);
  }
  return tree;
}

/** The template with a valid range of equal length in place of `{{.window}}`, so that offsets stay correct. */
function parseable(template: string): string {
  return template.replaceAll(windowPattern, (match) => '5m'.padEnd(match.length));
}

/** The query with spaces in place of its comments, so that it can stand within another and its places stay. */
export function withoutComments(query: string): string {
  if (!query.includes('#')) return query;
  const tokens = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|#[^\n]*/g;
  return query
    .replaceAll(tokens, (token) => (token.startsWith('#') ? ' '.repeat(token.length) : token))
    .trimEnd();
}

export const hasWindow = (template: string): boolean => template.search(windowPattern) >= 0;

export interface QueryProblem {
  /** Offset of the character in the template, from 0. */
  offset: number;
  message: string;
  expected?: string;
}

/** The first syntax error in a template, or undefined. */
export function findQueryProblem(template: string): QueryProblem | undefined {
  if (template.trim() === '') return { offset: 0, message: 'the query is empty' };
  let problem: QueryProblem | undefined;
  const text = parseable(template);
  parse(text).iterate({
    enter(node) {
      if (!problem && node.type.isError) {
        const near = template.slice(node.from, node.from + 12).trim();
        problem = {
          offset: node.from,
          message: near === '' ? 'the query ends too early' : `PromQL does not parse at '${near}'`,
          expected: 'a PromQL expression',
        };
      }
    },
  });
  return problem;
}

/**
 * A mistake in a query that parses, such as an invalid regular expression or no vector as its result, for which
 * Prometheus refuses the whole file.
 */
export function findRefusal(template: string): QueryProblem | undefined {
  try {
    const type = typeOf(parsePromql(parseable(template)));
    if (type === 'vector') return undefined;
    const message = `the query is a ${typeNames[type]}`;
    return { offset: 0, message, expected: 'an instant vector' };
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    return { offset: error.from, message: error.message };
  }
}

/** A number as Go's `strconv` writes it with the fewest digits: `0.5`, `1e+06`, `5e-05`. */
export function shortFloat(value: number): string {
  const [digits = '', exponent = ''] = value.toExponential().split('e');
  if (!(Number(exponent) < -4 || Number(exponent) >= 6)) return String(value);
  return `${digits}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
}

/**
 * A classic bucket's bound in the spellings of whole numbers: `1` in Prometheus 2 and `1.0` in 3; from a million on,
 * exporters in Go write `1e+06`. A set of spellings is looked up as fast as a single value.
 */
export function leMatcher(bound: number): string {
  const plain = String(bound);
  if (!Number.isInteger(bound)) return `le="${plain}"`;
  const texts = [plain, `${plain}.0`, ...(bound >= 1e6 ? [shortFloat(bound)] : [])];
  return `le=~"${texts.map((text) => text.replaceAll(/[.+]/g, '\\\\$&')).join('|')}"`;
}

/** Matches classic buckets in all spellings of their bounds. */
export function bothSpellings(query: string): string {
  return query.replaceAll(
    /\ble\s*=\s*(["'])(\d+(?:\.0)?|\d(?:\.\d+)?[eE]\+?\d+)\1/g,
    (_, _quote, bound: string) => leMatcher(Number(bound)),
  );
}

/** Whether the template is one counter selector without function and range, such as `errors_total{job="a"}`. */
export function isBareSelector(template: string): boolean {
  const top = topOf(template);
  return top?.name === 'VectorSelector';
}

function topOf(template: string): SyntaxNode | null {
  return parse(parseable(template)).topNode.firstChild;
}

/** A selector of the metric; the name is quoted if necessary. */
export function selectorOf(metric: string, ...matchers: (string | undefined)[]): string {
  const plain = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric);
  const list = [...(plain ? [] : [JSON.stringify(metric)]), ...matchers.filter((m) => m)];
  return `${plain ? metric : ''}${list.length > 0 ? `{${list.join(', ')}}` : ''}`;
}

/** The metric's name and the text within the braces of a bare selector; undefined for anything else. */
export function splitSelector(selector: string): { metric: string; matchers: string } | undefined {
  const match = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{([^]*)\})?\s*$/.exec(selector);
  if (!match || findQueryProblem(selector) || !isBareSelector(selector)) return undefined;
  return { metric: match[1] as string, matchers: (match[2] ?? '').trim().replace(/,$/, '') };
}

/** Whether the outermost sum gives exactly the labels `by`: `sum(...)`, or `sum by (a) (...)`. */
export function isSummedBy(template: string, by: readonly string[]): boolean {
  const top = topOf(template);
  if (top?.name !== 'AggregateExpr' || !top.getChild('AggregateOp')?.getChild('Sum')) return false;
  const modifier = top.getChild('AggregateModifier');
  if (!modifier) return by.length === 0;
  const labels = modifier.getChild('GroupingLabels')?.getChildren('LabelName') ?? [];
  const names = labels.map((l) => parseable(template).slice(l.from, l.to)).sort();
  return modifier.getChild('By') !== null && names.join() === [...by].sort().join();
}

export interface CounterCall {
  from: number;
  to: number;
  /** The selector within `rate(...[{{.window}}])` or `increase(...)`. */
  selector: string;
}

/**
 * The `rate` and `increase` calls of a template that is linear in them: sums, additions, subtractions, multiplications
 * by numbers, and `or`. In such a template each call can be replaced by the increments of one step, and the steps add
 * up exactly to any window. Undefined for any other template (a quantile, a ratio, an offset).
 */
export function linearCounterCalls(template: string): CounterCall[] | undefined {
  const calls: CounterCall[] = [];
  const text = parseable(template);
  const top = parse(text).topNode.firstChild;
  if (!top || !isLinear(top, text, calls) || calls.length === 0) return undefined;
  const source = calls.map((c) => template.slice(c.from, c.to));
  return source.every(hasWindow) ? calls : undefined;
}

/** A linear template with ranges, such as `sum(rate(x[5m]))`, with the window in their place; other templates stay. */
export function withoutRange(template: string): string {
  const calls: CounterCall[] = [];
  const top = topOf(template);
  if (hasWindow(template) || !top || !isLinear(top, template, calls)) return template;
  return replaceCalls(template, calls, ({ from, to }) =>
    template.slice(from, to).replace(/\[[^\]]*\](?=\s*\)$)/, '[{{.window}}]'),
  );
}

function isLinear(node: SyntaxNode, text: string, calls: CounterCall[]): boolean {
  switch (node.name) {
    case 'ParenExpr':
      return node.firstChild !== null && isLinear(node.firstChild, text, calls);
    case 'NumberDurationLiteral':
      return true;
    case 'AggregateExpr': {
      const body = node.getChild('FunctionCallBody');
      const operand = body?.firstChild;
      if (!node.getChild('AggregateOp')?.getChild('Sum') || !operand) return false;
      return operand.nextSibling === null && isLinear(operand, text, calls);
    }
    case 'BinaryExpr': {
      const left = node.firstChild;
      const right = node.lastChild;
      if (!left || !right) return false;
      const scaled = node.getChild('Mul') ?? node.getChild('Div');
      if (scaled) {
        const number = (n: SyntaxNode): boolean => n.name === 'NumberDurationLiteral';
        if (!number(right) && !(number(left) && node.getChild('Mul'))) return false;
      } else if (!node.getChild('Add') && !node.getChild('Sub') && !node.getChild('Or')) {
        return false;
      }
      return isLinear(left, text, calls) && isLinear(right, text, calls);
    }
    case 'FunctionCall':
      return isCounterCall(node, text, calls);
    default:
      return false;
  }
}

function isCounterCall(node: SyntaxNode, text: string, calls: CounterCall[]): boolean {
  const called = node.getChild('FunctionIdentifier');
  const argument = node.getChild('FunctionCallBody')?.firstChild;
  if (!called || !argument) return false;
  if (called.getChild('Vector')) return argument.name === 'NumberDurationLiteral';
  if (!called.getChild('Rate') && !called.getChild('Increase')) return false;
  const selector = argument.name === 'MatrixSelector' ? argument.getChild('VectorSelector') : null;
  if (!selector) return false;
  calls.push({ from: node.from, to: node.to, selector: text.slice(selector.from, selector.to) });
  return true;
}

/** The template with each counter call replaced; `calls` come from `linearCounterCalls`. */
export function replaceCalls(
  template: string,
  calls: readonly CounterCall[],
  replacement: (call: CounterCall) => string,
): string {
  let result = '';
  let at = 0;
  for (const call of [...calls].sort((a, b) => a.from - b.from)) {
    result += template.slice(at, call.from) + replacement(call);
    at = call.to;
  }
  return result + template.slice(at);
}

/** The template with the window filled in. */
export function fillWindow(template: string, window: string): string {
  return template.replaceAll(windowPattern, window);
}

/** Every metric name in a template, sorted and without duplicates. */
export function metricsOf(template: string): string[] {
  const names = new Set<string>();
  const text = parseable(template);
  parse(text).iterate({
    enter(node) {
      if (node.name !== 'VectorSelector') return;
      const name = node.node.getChild('Identifier');
      if (name) names.add(text.slice(name.from, name.to));
    },
  });
  return [...names].sort();
}

/** `sum(x)` of a bare counter becomes the counter, because its increase is summed anyway. Other templates stay. */
export function unwrapSum(template: string): string {
  const top = topOf(template);
  if (top?.name !== 'AggregateExpr' || !isSummedBy(template, [])) return template;
  const operand = top.getChild('FunctionCallBody')?.firstChild;
  return operand?.name === 'VectorSelector' && !operand.nextSibling
    ? template.slice(operand.from, operand.to)
    : template;
}
