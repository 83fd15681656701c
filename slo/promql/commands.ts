import type { Command } from 'commander';

export function registerPromql(_program: Command): void {}
