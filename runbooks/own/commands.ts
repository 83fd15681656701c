/** Finds the commands in a piece of shell text, precisely enough to check whether each exists. */

const shells = new Set(['sh', 'bash', 'shell', 'zsh', 'console', 'shellsession', 'terminal']);
export const isShell = (language: string): boolean => shells.has(language);

export interface ShellCommand {
  words: string[];
  /** Offset of the command's first word in the text. */
  offset: number;
}

/** Words of the shell itself. */
const builtins = new Set(
  (
    'cd echo export exit set unset test true false read wait kill source eval exec trap type alias if then else elif ' +
    'fi for while until do done case esac in function return local declare printf pwd umask ulimit time [ [[ { } ! : .'
  ).split(' '),
);
/** Words that are followed by another command. */
const wrappers = new Set([
  'sudo',
  'time',
  'exec',
  'nohup',
  'env',
  'watch',
  'xargs',
  'then',
  'do',
  'else',
  '!',
  'if',
  'while',
]);

/**
 * Each command of a pipeline or list. Heredoc contents, comments, and output below a prompt (`$ command`) are not
 * commands.
 */
export function commandsIn(text: string): ShellCommand[] {
  const lines = text.split('\n');
  const prompted = lines.some((line) => /^\s*[$#%] \S/.test(line) && !/^\s*# /.test(line));
  const functions = new Set(Array.from(text.matchAll(/^\s*(\w+)\s*\(\)/gm), (m) => m[1] as string));
  const commands: ShellCommand[] = [];
  let offset = 0;
  let heredoc: string | undefined;
  let continued = false;
  for (const line of lines) {
    const start = offset;
    offset += line.length + 1;
    if (heredoc !== undefined) {
      if (line.trim() === heredoc) heredoc = undefined;
      continue;
    }
    const prompt = /^\s*[$%] /.exec(line)?.[0] ?? '';
    const isCommand: boolean = !prompted || prompt !== '' || continued;
    const isContinuation = continued;
    continued = isCommand && /\\\s*$/.test(line);
    heredoc = isCommand ? /<<-?\s*['"]?(\w+)/.exec(line)?.[1] : undefined;
    if (!isCommand || isContinuation) continue;
    for (const found of segmentsOf(line.slice(prompt.length))) {
      const command = commandOf(found.text, start + prompt.length + found.offset);
      if (!command || functions.has(command.words[0] as string)) continue;
      commands.push(command);
    }
  }
  return commands;
}

/** Splits at pipes and lists, outside of quotes; `$(...)` stays a part of its word. */
function segmentsOf(line: string): { text: string; offset: number }[] {
  const segments: { text: string; offset: number }[] = [];
  let quote = '';
  let depth = 0;
  let from = 0;
  const cut = (to: number, next: number): void => {
    segments.push({ text: line.slice(from, to), offset: from });
    from = next;
  };
  for (let i = 0; i < line.length; i++) {
    const c = line[i] as string;
    if (quote !== '') {
      if (c === quote) quote = '';
    } else if (c === '\\') i++;
    else if (c === '"' || c === "'" || c === '`') quote = c;
    else if (c === '(') depth++;
    else if (c === ')') depth = Math.max(0, depth - 1);
    else if (c === '#' && (i === 0 || /\s/.test(line[i - 1] as string))) {
      cut(i, line.length);
      return segments;
    } else if (depth === 0 && (c === '|' || c === ';' || c === '&')) {
      if (/[<>]/.test(line[i - 1] ?? '')) continue;
      const double = line[i + 1] === c;
      cut(i, i + (double ? 2 : 1));
      if (double) i++;
    }
  }
  cut(line.length, line.length);
  return segments;
}

/** Words as the shell splits them, quotes included. A redirection and its file are no words of a command. */
function wordsIn(text: string): { word: string; at: number }[] {
  const words = text.matchAll(/(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\([^)]*\)|\S)+/g);
  const found = Array.from(words, (m) => ({ word: m[0], at: m.index }));
  const redirects = (word = ''): boolean => /^\d*(&?>{1,2}|<{1,3}(?!\w[^>]*>))/.test(word);
  const bare = (word = ''): boolean => /^\d*(&?>{1,2}|<{1,3})$/.test(word);
  return found.filter(({ word }, i) => !redirects(word) && !bare(found[i - 1]?.word));
}

/** Without assignments and what only wraps it; undefined where nothing is left that could be looked up. */
function commandOf(text: string, offset: number): ShellCommand | undefined {
  const words = wordsIn(text);
  for (let i = 0; i < words.length; i++) {
    const { word, at } = words[i] as { word: string; at: number };
    if (/^\w+=/.test(word) || wrappers.has(word)) continue;
    if (i > 0 && word.startsWith('-') && wrappers.has(words[i - 1]?.word ?? '')) continue;
    // A fact to be filled in, an expansion, a redirection, or a word of the shell.
    if (/^[A-Z_]+$|^[<>{$"'(`~\d-]/.test(word) || builtins.has(word)) return undefined;
    if (!/^[\w./+@-]+$/.test(word)) return undefined;
    return { words: words.slice(i).map((w) => w.word), offset: offset + at };
  }
  return undefined;
}

/** Programs that runbooks mention and that run elsewhere than the lint. */
export const elsewhere: readonly string[] = (
  'kubectl helm docker podman ssh systemctl journalctl chronyc jq yq curl amtool promtool openssl psql redis-cli ' +
  'etcdctl aws gcloud az terraform git linkerd istioctl'
).split(' ');
