/** Flags of Node for a program that is started by its path. */
import { isSea } from 'node:sea';

/**
 * The environment that gives `flags` to a child. It is empty but in the single executable, which takes no flag of Node
 * on its command line: there NODE_OPTIONS carries the ones that it may carry (executable/start.ts sets the others).
 */
export function flagsEnvironment(flags: readonly string[]): Record<string, string> {
  if (!isSea()) return {};
  const { NODE_OPTIONS: given = '' } = process.env;
  const carried = flags.filter(
    (flag) => flag !== '--import' && process.allowedNodeEnvironmentFlags.has(flag),
  );
  return carried.length === 0 ? {} : { NODE_OPTIONS: [given, ...carried].join(' ').trim() };
}
