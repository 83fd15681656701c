/** A pattern can be started with one command, demonstrates itself, and fails if it does not work. */
import type { ToolName } from '../../base/tools.js';
import type { Stage } from './stage.js';

export interface Pattern {
  name: string;
  /** One line for the list. */
  summary: string;
  /** The third-party programs that the pattern needs. */
  needs?: readonly ToolName[];
  /** Starts everything and demonstrates it; throws if a check fails. */
  run(stage: Stage): Promise<void>;
}
