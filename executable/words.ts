/** The words after the executable's name: a program with Node's flags, a line of code, or a command of Firedrill. */

/** The archive's name among the executable's assets. */
export const archiveName = 'archive';
/** A file in the archive's folder that imports a module for the entry. */
export const importerFile = 'import.cjs';

export interface ToRun {
  script: string;
  /** Of Node and V8, each one word. */
  flags: readonly string[];
  /** Modules that are loaded before the script. */
  imports: readonly string[];
  args: readonly string[];
}

type Words = { code: string } | (Omit<ToRun, 'script'> & { script?: string });

/** Without `script` in the result, the words are a command of Firedrill, all of them in `args`. */
export function readWords(words: readonly string[], isFile: (path: string) => boolean): Words {
  if (words[0] === '-e' && words[1] !== undefined) return { code: words[1] };
  const flags: string[] = [];
  const imports: string[] = [];
  let at = 0;
  for (; words[at]?.startsWith('--') === true; at++) {
    const flag = words[at] as string;
    if (flag === '--import') imports.push(words[++at] ?? '');
    else flags.push(flag);
  }
  const script = words[at];
  if (script === undefined || !/\.[cm]?js$/.test(script) || !isFile(script)) {
    return { flags: [], imports: [], args: words };
  }
  return { script, flags, imports, args: words.slice(at + 1) };
}
