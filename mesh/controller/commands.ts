/** The commands of the control plane: `controller`, `identity`, `policy`. */
import type { Command } from 'commander';
import { registerControllerRun } from './run-command.js';
import { registerIdentity } from '../identity/identity-command.js';

export function registerController(program: Command): void {
  registerControllerRun(program);
  registerIdentity(program);
}
