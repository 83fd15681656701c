import type { Command } from 'commander';

export function registerController(_program: Command): void {}
