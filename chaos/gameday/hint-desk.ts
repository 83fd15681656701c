/**
 * Hints on request: `firedrill gameday hint` adds a line to a file in the state folder, the running drill answers with
 * another line, and the command prints it.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Clock, realClock, sleep } from '../../base/clock.js';
import { exitCode } from '../../base/errors.js';
import type { HintDesk } from '../runner/hints.js';
import { otherRole, respondersText, type Roles } from './roles.js';
import { addLine, linesOf } from './state-lines.js';

/** A question, or with `told` the answer to the question of that time. */
interface Line {
  askedMs: number;
  by: string;
  told?: string;
}

const fileOf = (stateFolder: string): string => join(stateFolder, 'hints.jsonl');
const linesMax = 1000;
const answerLimitMs = 5000;

const add = (stateFolder: string, line: Line): void => addLine(fileOf(stateFolder), line);

const linesIn = (stateFolder: string): Line[] =>
  linesOf(
    fileOf(stateFolder),
    linesMax,
    (said: Partial<Line>) => typeof said.askedMs === 'number' && typeof said.by === 'string',
  );

/** The desk of a running drill: questions from before it are not its own. */
export function openHintDesk(
  stateFolder: string,
  roles: Roles | undefined,
  nowMs: number,
): HintDesk {
  let lastMs = nowMs;
  const open: Line[] = [];
  const answer = (told: string): void => {
    const line = open.shift();
    // A state folder that cannot be written is no reason to end a drill.
    if (line) {
      try {
        add(stateFolder, { ...line, told });
      } catch {
        // The hint is on the drill's terminal anyway.
      }
    }
  };
  return {
    asked(atMs) {
      const fresh = linesIn(stateFolder).filter((l) => l.told === undefined && l.askedMs > lastMs);
      const allowed: string[] = [];
      for (const line of fresh) {
        lastMs = Math.max(lastMs, line.askedMs);
        // The command that asked has given up.
        if (line.askedMs <= atMs - answerLimitMs) continue;
        const other = otherRole(roles, line.by);
        if (roles && other !== undefined && line.by !== roles.facilitator) {
          open.unshift(line);
          answer(`${line.by} is ${other}: hints are for ${respondersText(roles)}`);
          continue;
        }
        open.push(line);
        allowed.push(line.by);
      }
      return allowed;
    },
    tell: answer,
  };
}

/** Resolves to the answer; undefined if no drill answers in time. */
export async function askForHint(
  stateFolder: string,
  by: string,
  clock: Pick<Clock, 'nowMs'> = realClock,
): Promise<string | undefined> {
  const askedMs = clock.nowMs();
  add(stateFolder, { askedMs, by: by.slice(0, 100) });
  for (const endMs = askedMs + answerLimitMs; clock.nowMs() < endMs; await sleep(100)) {
    const answer = linesIn(stateFolder).find((l) => l.askedMs === askedMs && l.told !== undefined);
    if (answer) return answer.told;
  }
  return undefined;
}

export function registerHint(gameday: Command): void {
  gameday
    .command('hint')
    .description('Ask the running drill for the next hint; that it was needed is recorded')
    .option('--by <role>', "a role rather than a person's name", 'on call')
    .option('--state <folder>', "folder of the drill's journal", '.firedrill')
    .addHelpText('after', "\nExample:\n  firedrill gameday hint --by 'payments on call'")
    .action(async ({ by, state }: { by: string; state: string }) => {
      const told = await askForHint(state, by);
      process.stdout.write(`${told ?? `no drill with a fault on answers in ${state}`}\n`);
      if (told === undefined) process.exitCode = exitCode.failed;
    });
}
