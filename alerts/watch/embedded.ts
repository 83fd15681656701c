/** The watch without any other program. */
import { exitCode, UserError } from '../../base/errors.js';
import type { Watch, WatchOptions } from './model.js';

export function startEmbedded(_options: WatchOptions): Promise<Watch> {
  throw new UserError('the embedded watch is not here yet', exitCode.environment);
}
