/** Checks that the type of every operand fits its place. */
import type { Call, Expr, ValueType, VectorSelector } from './ast.js';
import { isSetOperator, walk, withoutParens } from './ast.js';
import { PromqlError } from './error.js';
import { matcherOf } from '../store/matcher.js';
import { type Signature, signatures } from './signatures.js';
import { typeNames, typeOf } from './types.js';

export function checkTypes(expr: Expr): void {
  walk(expr, checkNode);
}

function expectType(expr: Expr, wanted: ValueType, where: string): void {
  const found = typeOf(expr);
  if (found === wanted) return;
  throw new PromqlError(
    `expected type ${typeNames[wanted]} in ${where}, got ${typeNames[found]}`,
    expr,
  );
}

function checkNode(expr: Expr, parents: readonly Expr[]): void {
  switch (expr.kind) {
    case 'call':
      return checkCall(expr);
    case 'aggregate': {
      expectType(expr.expr, 'vector', 'aggregation expression');
      if (!expr.param) return;
      const wanted = expr.op === 'count_values' ? 'string' : 'scalar';
      return expectType(expr.param, wanted, 'aggregation parameter');
    }
    case 'binary': {
      for (const side of [expr.left, expr.right]) {
        const type = typeOf(side);
        if (type === 'scalar' || type === 'vector') continue;
        throw new PromqlError(
          'binary expression must contain only scalar and instant vector types',
          side,
        );
      }
      if (isSetOperator(expr.op)) expectType(expr.left, 'vector', 'set operation');
      return;
    }
    case 'unary': {
      const type = typeOf(expr.expr);
      if (type === 'scalar' || type === 'vector') return;
      throw new PromqlError(
        `unary expression only allowed on expressions of type scalar or instant vector, got ${typeNames[type]}`,
        expr,
      );
    }
    case 'subquery':
      return expectSubqueryOperand(expr.expr);
    case 'selector':
      return checkSelector(expr, parents);
    default:
  }
}

function expectSubqueryOperand(expr: Expr): void {
  const type = typeOf(expr);
  if (type === 'vector') return;
  throw new PromqlError(
    `subquery is only allowed on instant vector, got ${typeNames[type]} instead`,
    expr,
  );
}

function checkSelector(expr: VectorSelector, parents: readonly Expr[]): void {
  let selective = false;
  for (const matcher of expr.matchers) {
    let compiled;
    try {
      compiled = matcherOf(matcher);
    } catch (error) {
      throw new PromqlError((error as Error).message, expr);
    }
    if (!compiled.matches('')) selective = true;
  }
  // The second argument of info() only selects labels.
  const parent = parents.at(-1);
  const chooses = parent?.kind === 'call' && parent.name === 'info' && parent.args[1] === expr;
  if (selective || chooses) return;
  throw new PromqlError('vector selector must contain at least one non-empty matcher', expr);
}

function checkCall(call: Call): void {
  const signature = signatures.get(call.name) as Signature;
  const count = call.args.length;
  const least = signature.args.length - signature.optional;
  const most = signature.args.length + signature.repeat;
  if (count < least || count > most) {
    const at = least === most ? '' : count < least ? ' at least' : ' at most';
    throw new PromqlError(
      `expected${at} ${count < least ? least : most} argument(s) in call to "${call.name}", got ${count}`,
      call,
    );
  }
  call.args.forEach((arg, i) => {
    const wanted = signature.args[Math.min(i, signature.args.length - 1)] as ValueType;
    if (call.name === 'info' && i === 1) return checkInfoSelector(arg);
    expectType(arg, wanted, `call to function "${call.name}"`);
  });
}

function checkInfoSelector(arg: Expr): void {
  const inner = withoutParens(arg);
  if (inner.kind === 'selector' && inner.name === undefined) return;
  throw new PromqlError('expected label selectors only, got vector selector instead', arg);
}
