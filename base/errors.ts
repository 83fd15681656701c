/** What a user or a machine did wrong, as opposed to a broken invariant of ours (which throws a plain Error). */

export interface Place {
  file: string;
  /** Counted from 1. */
  line: number;
  /** Counted from 1, in characters. */
  column: number;
}

/** One thing wrong with a user's input: where it is, what is wrong, what was expected there. */
export interface Problem {
  place?: Place;
  message: string;
  expected?: string;
}

/** Exit codes of every command. The verdict codes are documented in chaos/README.md. */
export const exitCode = {
  ok: 0,
  /** The command ran, and the answer is no: a check failed, an alert did not fire, a gate is shut. */
  failed: 1,
  /** The user's input cannot be used; nothing was written. */
  usage: 2,
  /** The run could not judge: a fault without effect, a load that did not run. */
  inconclusive: 3,
  /** An abort condition tripped; faults were rolled back. */
  aborted: 4,
  /** The environment failed: a port, a tool, a server. */
  environment: 5,
  interrupted: 130,
} as const;

/** An error whose text is meant for the user: printed without a stack trace. */
export class UserError extends Error {
  readonly problems: readonly Problem[];
  readonly exitCode: number;

  constructor(problems: string | Problem | readonly Problem[], code: number = exitCode.usage) {
    const list: readonly Problem[] =
      typeof problems === 'string'
        ? [{ message: problems }]
        : Array.isArray(problems)
          ? (problems as readonly Problem[])
          : [problems as Problem];
    super(list.map(formatProblem).join('\n'));
    this.name = 'UserError';
    this.problems = list;
    this.exitCode = code;
  }
}

/** What is right in its own format and cannot be done here: a refusal of this one input, not of those beside it. */
export class Unsupported extends UserError {}

/** `file:line:column: what is wrong; expected what`. */
export function formatProblem(problem: Problem): string {
  const place = problem.place
    ? `${problem.place.file}:${problem.place.line}:${problem.place.column}: `
    : '';
  const expected = problem.expected ? `; expected ${problem.expected}` : '';
  return `${place}${problem.message}${expected}`;
}

/** The message of anything thrown, for wrapping into a larger sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
