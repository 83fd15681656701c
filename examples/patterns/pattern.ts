/** What a pattern is: something that can be started with one command, shows itself at work, and says if it does not. */
import type { ToolName } from '../../base/tools.js';
import type { Stage } from './stage.js';

export interface Pattern {
  name: string;
  /** One line for the list. */
  summary: string;
  /** Programs that are not ours. */
  needs?: readonly ToolName[];
  /** Starts everything and shows it; throws where something is not as it should be. */
  run(stage: Stage): Promise<void>;
}
