/** Errors of a user or a machine, as opposed to violated invariants of our own, which throw a plain Error. */

export interface Place {
  file: string;
  /** Counted from 1. */
  line: number;
  /** Counted from 1, in characters. */
  column: number;
}

/** One mistake in a user's input: its place, a description, and the expected input. */
export interface Problem {
  place?: Place;
  message: string;
  expected?: string;
}

/** Exit codes of every command. The verdict codes are documented in chaos/README.md. */
export const exitCode = {
  ok: 0,
  /** The command ran and the answer is negative: a check failed, an alert did not fire, a gate is closed. */
  failed: 1,
  /** The user's input is not usable; nothing was written. */
  usage: 2,
  /** The run has no verdict: a fault had no effect, or a load did not run. */
  inconclusive: 3,
  /** An abort condition tripped; faults were rolled back. */
  aborted: 4,
  /** The environment failed: a port, a tool, a server. */
  environment: 5,
  interrupted: 130,
} as const;

/** An error with a text for the user; printed without a stack trace. */
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

/** Valid input of its format that is not supported here; it does not affect the input beside it. */
export class Unsupported extends UserError {}

/** `file:line:column: message; expected …`. */
export function formatProblem(problem: Problem): string {
  const place = problem.place
    ? `${problem.place.file}:${problem.place.line}:${problem.place.column}: `
    : '';
  const expected = problem.expected ? `; expected ${problem.expected}` : '';
  return `${place}${problem.message}${expected}`;
}

/** The message of anything thrown, as a part of a longer sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const listenTexts: Record<string, string> = {
  EADDRINUSE: 'another program uses this port',
  EACCES: 'this user may not open this port',
  EADDRNOTAVAIL: 'this machine has no such address',
};

/** An address at which no server can listen, with the reason and its code. */
export function notListening(host: string, port: number, error: NodeJS.ErrnoException): UserError {
  const { code = '' } = error;
  const known = listenTexts[code];
  const why = known === undefined ? messageOf(error) : `${known} (${code})`;
  return new UserError(`${host}:${port}: ${why}`, exitCode.environment);
}

/** Why `fetch` got no answer; its own message is only "fetch failed". */
export function whyUnanswered(error: unknown): string {
  const cause = error instanceof Error && error.cause ? error.cause : error;
  const { code, errors } = cause as { code?: string; errors?: unknown[] };
  // A name with two addresses gives an error without a message for each.
  const text = messageOf(cause) || (errors ?? []).map(messageOf).join(', ') || String(code);
  if (cause instanceof Error && cause.name === 'TimeoutError') return 'no answer in time';
  if (text === 'Invalid URL') return 'it is no address; expected such as http://localhost:9090';
  if (text === 'bad port') return 'Node refuses to ask this port, as browsers do; use another one';
  return text.includes('wrong version number') ? 'it does not speak TLS; expected http://' : text;
}
