/** Expectations of a test besides values: failure, order, annotations or none. */
import { anchorlessRegex } from '../store/regex.js';

export type ExpectationKind = 'fail' | 'ordered' | 'warn' | 'no_warn' | 'info' | 'no_info';

export interface Expectation {
  readonly kind: ExpectationKind;
  /** Whether every annotation of the kind must be expected, as `expect` lines require. */
  readonly strict: boolean;
  /** Absent: any text matches. */
  readonly matches?: (text: string) => boolean;
  readonly pattern?: string;
}

const written = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/;
const older = /^expected_fail_(message|regexp)\s+(.+)$/;

export function parseExpectation(line: string): Expectation {
  const [now, before] = [written.exec(line), older.exec(line)];
  if (!now && !before) {
    throw new Error(`an expectation is written 'expect <kind> [msg|regex: <text>]', not '${line}'`);
  }
  const kind = (now?.[1] ?? 'fail') as ExpectationKind;
  const pattern = (now?.[3] ?? before?.[2])?.trim();
  if (pattern === undefined) return { kind, strict: true };
  const exact = now?.[2] === 'msg' || before?.[1] === 'message';
  const regex = exact ? undefined : anchorlessRegex(pattern);
  return {
    kind,
    strict: true,
    pattern,
    matches: (text) => (regex ? regex.test(text) : text === pattern),
  };
}
