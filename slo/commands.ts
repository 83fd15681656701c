import type { Command } from 'commander';

export function registerSlo(_program: Command): void {}
