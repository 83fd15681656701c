import type { Command } from 'commander';

export function registerRunbooks(_program: Command): void {}
