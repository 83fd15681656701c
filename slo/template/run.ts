/** Runs a parsed template over data, as Go's text/template does with `missingkey=zero`. */
import { CallError, functions, type Surroundings } from './functions.js';
import { TemplateError } from './lex.js';
import type { Command, ControlNode, Node, Operand, Pipeline, Template } from './parse.js';
import {
  AlertData,
  display,
  isTrue,
  StringMap,
  TemplateArguments,
  TemplateDuration,
  TemplateSample,
  TemplateTime,
  typeName,
  type Value,
} from './values.js';

/** Longer output is an error, so that a loop in a template cannot fill the memory. */
const outputMaxChars = 1024 * 1024;
const depthMax = 200;
/** Of all loops together. */
const roundsMax = 1024 * 1024;

class LoopSignal {
  readonly kind: 'break' | 'continue';
  constructor(kind: 'break' | 'continue') {
    this.kind = kind;
  }
}

interface Variable {
  name: string;
  value: Value;
}

export function runTemplate(
  template: Template,
  data: Value,
  variables: Readonly<Record<string, Value>>,
  around: Surroundings,
): string {
  const scope: Variable[] = [{ name: '$', value: data }];
  for (const [name, value] of Object.entries(variables)) scope.push({ name, value });
  return new Run(template, around).print(template.body, data, scope);
}

class Run {
  readonly #template: Template;
  readonly #around: Surroundings;
  #out = '';
  #depth = 0;
  #rounds = 0;

  constructor(template: Template, around: Surroundings) {
    this.#template = template;
    this.#around = around;
  }

  print(nodes: readonly Node[], dot: Value, scope: Variable[]): string {
    this.#walk(nodes, dot, scope);
    return this.#out;
  }

  #write(text: string): void {
    this.#out += text;
    if (this.#out.length > outputMaxChars) throw new TemplateError('the text is too long', 0);
  }

  #walk(nodes: readonly Node[], dot: Value, scope: Variable[]): void {
    for (const node of nodes) {
      switch (node.kind) {
        case 'text':
          this.#write(node.text);
          break;
        case 'action': {
          const value = this.#pipeline(node.pipeline, dot, scope);
          if (node.pipeline.variables.length === 0) this.#write(printed(value));
          break;
        }
        case 'if':
        case 'with': {
          const outside = scope.length;
          const value = this.#pipeline(node.pipeline, dot, scope);
          const inner = node.kind === 'with' ? value : dot;
          if (isTrue(value)) this.#walk(node.body, inner, scope);
          else this.#walk(node.otherwise, dot, scope);
          scope.length = outside;
          break;
        }
        case 'range':
          this.#range(node, dot, scope);
          break;
        case 'template':
          this.#call(node, dot, scope);
          break;
        default:
          throw new LoopSignal(node.kind);
      }
    }
  }

  #call(node: Extract<Node, { kind: 'template' }>, dot: Value, scope: Variable[]): void {
    const body = this.#template.defined.get(node.name);
    if (!body) throw new TemplateError(`template "${node.name}" not defined`, node.offset);
    if (++this.#depth > depthMax) {
      throw new TemplateError('exceeded maximum template depth', node.offset);
    }
    const value = node.pipeline ? this.#pipeline(node.pipeline, dot, scope) : undefined;
    this.#walk(body, value, [{ name: '$', value }]);
    this.#depth--;
  }

  #range(node: ControlNode, dot: Value, scope: Variable[]): void {
    const outside = scope.length;
    const { variables, declares } = node.pipeline;
    // The ranged value is computed before the variables of the loop exist.
    const value = this.#pipeline({ ...node.pipeline, variables: [] }, dot, scope);
    const entries = entriesOf(value, node.pipeline.offset);
    for (const [key, item] of entries) {
      if (++this.#rounds > roundsMax) {
        throw new TemplateError('the loops take too many rounds', node.pipeline.offset);
      }
      const values = variables.length === 2 ? [key, item] : [item];
      variables.forEach((name, i) => {
        if (declares) scope.push({ name, value: values[i] });
        else this.#set(name, values[i], scope, node.pipeline.offset);
      });
      try {
        this.#walk(node.body, item, scope);
      } catch (signal) {
        if (!(signal instanceof LoopSignal)) throw signal;
        if (signal.kind === 'break') break;
      } finally {
        scope.length = outside;
      }
    }
    if (entries.length === 0) this.#walk(node.otherwise, dot, scope);
    scope.length = outside;
  }

  #set(name: string, value: Value, scope: Variable[], offset: number): void {
    const variable = scope.findLast((v) => v.name === name);
    if (!variable) throw new TemplateError(`undefined variable "${name}"`, offset);
    variable.value = value;
  }

  #pipeline(pipeline: Pipeline, dot: Value, scope: Variable[]): Value {
    let value: Value;
    pipeline.commands.forEach((command, i) => {
      value = this.#command(command, dot, scope, i > 0 ? [value] : []);
    });
    for (const name of pipeline.variables) {
      if (pipeline.declares) scope.push({ name, value });
      else this.#set(name, value, scope, pipeline.offset);
    }
    return value;
  }

  #command(command: Command, dot: Value, scope: Variable[], piped: Value[]): Value {
    const [head, ...rest] = command.operands as [Operand, ...Operand[]];
    if (head.kind === 'function') return this.#function(head, rest, dot, scope, piped);
    if (head.kind === 'nil') throw new TemplateError('nil is not a command', head.offset);
    const args = [...rest.map((operand) => this.#operand(operand, dot, scope)), ...piped];
    return this.#operand(head, dot, scope, args);
  }

  #function(
    head: Extract<Operand, { kind: 'function' }>,
    rest: readonly Operand[],
    dot: Value,
    scope: Variable[],
    piped: Value[],
  ): Value {
    const entry = functions[head.name];
    if (!entry) throw new TemplateError(`function "${head.name}" not defined`, head.offset);
    const count = rest.length + piped.length;
    const [least, most] = entry.arity;
    if (count < least || count > most) {
      const want = least === most ? `${least}` : `at least ${least}`;
      throw new TemplateError(
        `wrong number of args for ${head.name}: want ${want} got ${count}`,
        head.offset,
      );
    }
    if (head.name === 'and' || head.name === 'or') {
      let value: Value;
      for (const operand of rest) {
        value = this.#operand(operand, dot, scope);
        if (isTrue(value) === (head.name === 'or')) return value;
      }
      return piped.length > 0 ? piped[0] : value;
    }
    const args = [...rest.map((operand) => this.#operand(operand, dot, scope)), ...piped];
    try {
      return entry.call(args, this.#around);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      throw new TemplateError(`error calling ${head.name}: ${error.message}`, head.offset);
    }
  }

  #operand(operand: Operand, dot: Value, scope: Variable[], args: readonly Value[] = []): Value {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return undefined;
      case 'constant':
        return operand.value;
      case 'function':
        return this.#function(operand, [], dot, scope, []);
      case 'field':
        return follow(dot, operand.path, args, operand.offset);
      case 'variable': {
        const variable = scope.findLast((v) => v.name === operand.name);
        if (!variable) {
          throw new TemplateError(`undefined variable "${operand.name}"`, operand.offset);
        }
        return follow(variable.value, operand.path, args, operand.offset);
      }
      case 'pipeline': {
        const outside = scope.length;
        const value = this.#pipeline(operand.pipeline, dot, scope);
        scope.length = outside;
        return follow(value, operand.path, args, operand.offset);
      }
    }
  }
}

/** An action prints the sample to which a pointer leads; `printf` shows that it is a pointer. */
const printed = (value: Value): string =>
  display(value).slice(value instanceof TemplateSample ? 1 : 0);

function entriesOf(value: Value, offset: number): [Value, Value][] {
  if (typeof value === 'bigint' && value <= BigInt(roundsMax)) {
    return Array.from({ length: Math.max(0, Number(value)) }, (_, i) => [BigInt(i), BigInt(i)]);
  }
  if (Array.isArray(value)) return (value as Value[]).map((item, i) => [BigInt(i), item]);
  if (value instanceof StringMap) return value.entries();
  if (value instanceof TemplateArguments) {
    return [...value.values].sort(([a], [b]) => (a < b ? -1 : 1));
  }
  if (value === undefined) return [];
  throw new TemplateError(`range can't iterate over ${display(value)}`, offset);
}

/** Follows fields one after another; the last may be a method that takes the arguments. */
function follow(start: Value, path: readonly string[], args: readonly Value[], offset: number) {
  let value = start;
  path.forEach((name, i) => {
    value = fieldOf(value, name, i === path.length - 1 ? args : [], offset);
  });
  if (path.length === 0 && args.length > 0) {
    throw new TemplateError(`can't give argument to non-function`, offset);
  }
  return value;
}

function fieldOf(value: Value, name: string, args: readonly Value[], offset: number): Value {
  if (value instanceof TemplateTime || value instanceof TemplateDuration) {
    const method = methodOf(value, name, args);
    if (method !== undefined) return method;
  }
  if (args.length > 0) throw new TemplateError(`${name} has arguments but is no method`, offset);
  if (value instanceof StringMap) return value.get(name);
  if (value instanceof TemplateArguments) return value.values.get(name);
  if (value instanceof AlertData && value.fields.has(name)) return value.fields.get(name);
  if (value instanceof TemplateSample) {
    if (name === 'Labels') return new StringMap(value.labels);
    if (name === 'Value') return value.value;
  }
  if (value === undefined) throw new TemplateError(`nil data; no entry for key "${name}"`, offset);
  throw new TemplateError(`can't evaluate field ${name} in type ${typeName(value)}`, offset);
}

const months =
  'January February March April May June July August September October November December'.split(
    ' ',
  );
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** The methods of Go's time.Time and time.Duration that make sense in an annotation. */
function methodOf(
  value: TemplateTime | TemplateDuration,
  name: string,
  args: readonly Value[],
): Value {
  if (value instanceof TemplateDuration) {
    const seconds: Record<string, number> = { Seconds: 1, Minutes: 60, Hours: 3600 };
    const unit = seconds[name];
    if (unit !== undefined) return value.seconds / unit;
    if (name === 'Milliseconds') return BigInt(Math.trunc(value.seconds * 1000));
    return name === 'String' ? display(value) : undefined;
  }
  const date = new Date(value.ms);
  switch (name) {
    case 'Year':
      return BigInt(date.getUTCFullYear());
    case 'Month':
      return months[date.getUTCMonth()];
    case 'Day':
      return BigInt(date.getUTCDate());
    case 'Hour':
      return BigInt(date.getUTCHours());
    case 'Minute':
      return BigInt(date.getUTCMinutes());
    case 'Second':
      return BigInt(date.getUTCSeconds());
    case 'Weekday':
      return days[date.getUTCDay()];
    case 'YearDay':
      return BigInt(Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0)) / 864e5) + 1);
    case 'Add':
      return args[0] instanceof TemplateDuration
        ? new TemplateTime(value.ms + args[0].seconds * 1000)
        : undefined;
    case 'UnixMilli':
      return BigInt(Math.floor(value.ms));
    case 'Unix':
      return BigInt(Math.floor(value.ms / 1000));
    case 'UTC':
      return value;
    case 'String':
      return display(value);
    case 'Format':
      return typeof args[0] === 'string' ? formatTime(date, args[0]) : undefined;
    default:
      return undefined;
  }
}

/** Go's layouts: the reference time is Mon Jan 2 15:04:05 MST 2006. */
function formatTime(date: Date, layout: string): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const month = months[date.getUTCMonth()] as string;
  const day = days[date.getUTCDay()] as string;
  const hour = date.getUTCHours();
  const parts: Record<string, string> = {
    '2006': String(date.getUTCFullYear()),
    January: month,
    Jan: month.slice(0, 3),
    Monday: day,
    Mon: day.slice(0, 3),
    MST: 'UTC',
    'Z07:00': 'Z',
    '-07:00': '+00:00',
    '-0700': '+0000',
    '.000': `.${String(date.getUTCMilliseconds()).padStart(3, '0')}`,
    PM: hour >= 12 ? 'PM' : 'AM',
    '01': two(date.getUTCMonth() + 1),
    '02': two(date.getUTCDate()),
    '03': two(hour % 12 === 0 ? 12 : hour % 12),
    '04': two(date.getUTCMinutes()),
    '05': two(date.getUTCSeconds()),
    '06': two(date.getUTCFullYear() % 100),
    '15': two(hour),
    '1': String(date.getUTCMonth() + 1),
    '2': String(date.getUTCDate()),
    '3': String(hour % 12 === 0 ? 12 : hour % 12),
  };
  const word =
    /2006|January|Jan|Monday|Mon|MST|Z07:00|-07:00|-0700|\.000|PM|01|02|03|04|05|06|15|1|2|3/g;
  return layout.replace(word, (part) => parts[part] as string);
}
