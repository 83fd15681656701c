import type { Command } from 'commander';

export function registerKubernetes(_program: Command): void {}
