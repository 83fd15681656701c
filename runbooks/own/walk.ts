/**
 * `firedrill runbook walk`: the steps of a page that a program can run, one after the other. Each is shown with its
 * heading, and runs only after the user's yes; a step with an open placeholder does not run.
 */
import { spawn } from 'node:child_process';
import { isShell } from './commands.js';

export interface Step {
  /** The nearest heading above the step. */
  heading: string;
  /** One command with its continuation lines, or a whole fence that contains a loop, a function or a heredoc. */
  command: string;
  /** Placeholders for facts: POD_NAME, <pod>. */
  open: string[];
}

export interface WalkParts {
  /** Resolves to the user's input; undefined if the input has ended. */
  ask(question: string): Promise<string | undefined>;
  say(text: string): void;
  /** Runs the command with sh, with visible output; resolves to its exit code, or the signal that ended it. */
  run(command: string): Promise<number | string>;
}

export interface WalkEnd {
  run: number;
  skipped: number;
  failed: number;
  /** The user stopped before the last step. */
  stopped: boolean;
}

/** Steps in the order of the page. */
export function stepsOf(text: string): Step[] {
  const steps: Step[] = [];
  let heading = '';
  let fence: { mark: string; lines: string[] | undefined; heading: string } | undefined;
  for (const line of text.split('\n')) {
    const mark = /^ {0,12}(`{3,}|~{3,})\s*([\w-]*)/.exec(line);
    if (fence) {
      if (mark && (mark[1] as string).startsWith(fence.mark) && mark[2] === '') {
        for (const command of commandsOf(fence.lines ?? [])) {
          steps.push({ heading: fence.heading, command, open: openWords(command) });
        }
        fence = undefined;
      } else fence.lines?.push(line);
    } else if (mark) {
      const lines = isShell((mark[2] ?? '').toLowerCase()) ? [] : undefined;
      fence = { mark: mark[1] as string, lines, heading };
    } else heading = /^#{1,6} +(.+)$/.exec(line)?.[1] ?? heading;
  }
  return steps;
}

/** Below prompts everything else is output. */
function commandsOf(lines: readonly string[]): string[] {
  const prompted = lines.some((line) => /^\s*[$%] \S/.test(line));
  const whole = lines.join('\n').trim();
  if (!prompted && /<<-?\s*['"]?\w|^\s*(for|while|until|if|case)\b|\(\)\s*\{/m.test(whole)) {
    return [whole];
  }
  const commands: string[] = [];
  let continued = false;
  for (const line of lines) {
    const prompt = /^\s*[$%] /.exec(line)?.[0];
    if (continued) commands.push(`${commands.pop() ?? ''}\n${line}`);
    else if (prompted ? prompt !== undefined : /^\s*[^#\s]/.test(line)) {
      commands.push(line.slice(prompt?.length ?? 0).trim());
    } else continue;
    continued = /\\\s*$/.test(line);
  }
  return commands;
}

/** Assignments and what they name are filled in already; in quotes of one kind a word may be meant as it is. */
function openWords(command: string): string[] {
  const plain = command.replaceAll(/'[^']*'/g, "''");
  const found = plain.match(/(?<![\w$./={"-])[A-Z][A-Z0-9_]{2,}(?![\w=])|<[a-z][\w -]*>/g) ?? [];
  return [...new Set(found)].filter(
    (word) => !/^(GET|PUT|POST|HEAD|DELETE|PATCH|KILL|TERM|SIG\w+)$/.test(word),
  );
}

export async function walk(steps: readonly Step[], parts: WalkParts): Promise<WalkEnd> {
  const end: WalkEnd = { run: 0, skipped: 0, failed: 0, stopped: false };
  for (const [i, { heading, command, open }] of steps.entries()) {
    parts.say(`\n${i + 1} of ${steps.length}${heading === '' ? '' : `, ${heading}`}\n\n`);
    parts.say(`${command.replaceAll(/^/gm, '    ')}\n\n`);
    if (open.length > 0) {
      parts.say(`not run: fill in ${open.join(', ')}, and run it yourself\n`);
      end.skipped++;
      continue;
    }
    const answer = (await parts.ask('run it? [y]es, [s]kip, [q]uit: '))?.trim().toLowerCase();
    if (answer === undefined || answer === 'q' || answer === 'quit') {
      end.stopped = true;
      return end;
    }
    if (answer !== 'y' && answer !== 'yes') {
      end.skipped++;
      continue;
    }
    const code = await parts.run(command);
    end.run++;
    if (code === 0) continue;
    end.failed++;
    parts.say(`ended with ${code}\n`);
  }
  return end;
}

/** In the foreground, in this folder. */
export function runStep(command: string): Promise<number | string> {
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(code ?? signal ?? 'nothing'));
  });
}
