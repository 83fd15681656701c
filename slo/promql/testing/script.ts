/** Reads a test script's commands, each with its line: load, clear, eval. */
import { parseDurationMs } from '../../../base/duration.js';
import type { Labels } from '../labels.js';
import { parseNumber, parseString } from '../syntax/literals.js';
import { parseExpectation, type Expectation } from './expectation.js';
import { parseSeriesLine, type Value } from './series-values.js';
import { isStartsLine, parseStartsLine } from './start-lines.js';

export interface LoadedSeries {
  readonly labels: Labels;
  readonly values: readonly Value[];
  /** Start time of the counter at each value, in milliseconds relative to the value's time. */
  readonly starts: readonly (number | undefined)[] | undefined;
}

export interface LoadCommand {
  readonly kind: 'load';
  readonly line: number;
  readonly stepMs: number;
  readonly withCustomBuckets: boolean;
  readonly series: readonly LoadedSeries[];
}

export interface ClearCommand {
  readonly kind: 'clear';
  readonly line: number;
}

export interface ExpectedSeries {
  readonly labels: Labels;
  readonly values: readonly Value[];
}

export interface EvalCommand {
  readonly kind: 'eval';
  readonly line: number;
  readonly query: string;
  readonly at:
    | { readonly kind: 'instant'; readonly timeMs: number }
    | {
        readonly kind: 'range';
        readonly startMs: number;
        readonly endMs: number;
        readonly stepMs: number;
      };
  readonly expectations: readonly Expectation[];
  /** The times of an expected range vector. */
  readonly rangeVector: { startMs: number; endMs: number; stepMs: number } | undefined;
  readonly series: readonly ExpectedSeries[];
  readonly scalar: number | undefined;
  readonly string: string | undefined;
}

/** A command that is not supported, with the reason. */
export interface UnsupportedCommand {
  readonly kind: 'unsupported';
  readonly line: number;
  readonly isEval: boolean;
  readonly reason: string;
}

export type Command = LoadCommand | ClearCommand | EvalCommand | UnsupportedCommand;

interface Block {
  readonly line: number;
  readonly head: string;
  readonly body: readonly { readonly line: number; readonly text: string }[];
}

/** A command ends at the next empty line or comment. */
function blocksOf(text: string): Block[] {
  const lines = text
    .split('\n')
    .map((l) => l.trim())
    .map((l) => (l.startsWith('#') ? '' : l));
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const head = lines[i] as string;
    if (head === '') continue;
    const body: { line: number; text: string }[] = [];
    const line = i + 1;
    if (/^(load|eval)/i.test(head)) {
      while (i + 1 < lines.length && lines[i + 1] !== '') {
        i++;
        body.push({ line: i + 1, text: lines[i] as string });
      }
    }
    blocks.push({ line, head, body });
  }
  return blocks;
}

export function parseScript(text: string): Command[] {
  return blocksOf(text).map((block): Command => {
    const isEval = /^eval/i.test(block.head);
    try {
      if (/^clear$/i.test(block.head)) return { kind: 'clear', line: block.line };
      if (/^load/i.test(block.head)) return parseLoad(block);
      if (isEval) return parseEval(block);
      throw new Error(`no such command: '${block.head}'`);
    } catch (error) {
      const reason = (error as Error).message;
      return { kind: 'unsupported', line: block.line, isEval, reason };
    }
  });
}

function duration(text: string): number {
  const ms = parseDurationMs(text.replace(/^-/, ''));
  if (ms === undefined) throw new Error(`not a duration: '${text}'`);
  return text.startsWith('-') ? -ms : ms;
}

function parseLoad(block: Block): LoadCommand {
  const match = /^load(_with_nhcb)?\s+(\S+)$/.exec(block.head);
  if (!match) throw new Error(`a load is written 'load <step>', not '${block.head}'`);
  const series: LoadedSeries[] = [];
  let starts: { labels: Labels; offsets: (number | undefined)[] } | undefined;
  for (const { text } of block.body) {
    if (isStartsLine(text)) {
      starts = parseStartsLine(text);
      continue;
    }
    const { labels, values } = parseSeriesLine(text);
    if (starts && (starts.labels.key !== labels.key || starts.offsets.length !== values.length)) {
      throw new Error(
        'a line of starts stands before the line of the same series, one start a value',
      );
    }
    series.push({ labels, values, starts: starts?.offsets });
    starts = undefined;
  }
  return {
    kind: 'load',
    line: block.line,
    stepMs: duration(match[2] as string),
    withCustomBuckets: match[1] !== undefined,
    series,
  };
}

const instant = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)$/;
const range =
  /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$/;
const rangeVector = /^expect\s+range\s+vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$/;

function parseEval(block: Block): EvalCommand {
  const [ofInstant, ofRange] = [instant.exec(block.head), range.exec(block.head)];
  if (!ofInstant && !ofRange) {
    throw new Error(
      "an evaluation is written 'eval instant at <time> <query>' or " +
        "'eval range from <start> to <end> step <step> <query>'",
    );
  }
  const expectations: Expectation[] = [];
  const mode = ofInstant?.[1] ?? ofRange?.[1];
  if (mode) expectations.push({ kind: mode as Expectation['kind'], strict: false });
  const series: ExpectedSeries[] = [];
  let [scalar, string]: [number?, string?] = [];
  let times: EvalCommand['rangeVector'];
  for (const { text } of block.body) {
    const ofVector = rangeVector.exec(text);
    if (ofVector) {
      const [startMs, endMs, stepMs] = ofVector.slice(1).map(duration) as [number, number, number];
      times = { startMs, endMs, stepMs };
    } else if (/^expect\s+string\b/.test(text)) {
      string = parseString(text.replace(/^expect\s+string\s*/, ''));
      if (string === undefined) throw new Error(`not a string: ${text}`);
    } else if (/^expect(ed_fail_(message|regexp))?(\s|$)/.test(text)) {
      expectations.push(parseExpectation(text));
    } else if (parseNumber(text) !== undefined) {
      scalar = parseNumber(text);
    } else {
      series.push(parseSeriesLine(text));
    }
  }
  const at: EvalCommand['at'] = ofInstant
    ? { kind: 'instant', timeMs: ofInstant[2] === undefined ? 0 : duration(ofInstant[2]) }
    : {
        kind: 'range',
        startMs: duration(ofRange?.[2] as string),
        endMs: duration(ofRange?.[3] as string),
        stepMs: duration(ofRange?.[4] as string),
      };
  const query = (ofInstant?.[3] ?? ofRange?.[5]) as string;
  return {
    kind: 'eval',
    line: block.line,
    query,
    at,
    expectations,
    rangeVector: times,
    series,
    scalar,
    string,
  };
}
