/** The verbs of a mesh in Kubernetes. */
import type { Command } from 'commander';
import { registerInject } from './inject/inject-commands.js';
import { registerInstall } from './install/install-commands.js';

export function registerKubernetes(program: Command): void {
  registerInstall(program);
  registerInject(program);
}
