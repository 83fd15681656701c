/** Errors of the system that are the machine's and not the program's, in a user's words. */
import { tmpdir } from 'node:os';

const codes: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the disk',
  EDQUOT: "the user's share of the disk is used up",
  EMFILE: 'too many files are open (ulimit -n)',
  ENFILE: 'too many files are open on this machine',
};

/** Returns undefined for any other error. */
export function machineFault(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'uv_cwd') return 'the working folder was removed; expected one that exists';
  if (syscall === 'mkdtemp') {
    const why = codes[code] ?? code;
    return `the temporary folder ${tmpdir()} cannot be written: ${why}; expected another one in TMPDIR`;
  }
  const text = codes[code];
  return text === undefined ? undefined : `${text}: ${error.message}`;
}
