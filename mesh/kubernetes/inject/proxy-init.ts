/**
 * `proxy-init`: the redirection as a command. The init container runs `init.ts`, which does the same and loads less.
 */
import type { Command } from 'commander';
import { ports } from '../annotations.js';
import {
  applyRedirection,
  proxyUserId,
  redirectionOf,
  type RedirectionFlags,
  redirectRules,
} from './redirection.js';

export function registerProxyInit(program: Command): void {
  program
    .command('proxy-init')
    .description("Redirect a pod's TCP traffic to its proxy (run by the init container)")
    .option('--inbound-port <port>', "the proxy's", String(ports.inbound))
    .option('--outbound-port <port>', "the proxy's", String(ports.outbound))
    .option('--proxy-uid <id>', 'user whose traffic is left alone', String(proxyUserId))
    .option('--skip-inbound-ports <list>', 'such as 4191,8000-8010', String(ports.admin))
    .option('--skip-outbound-ports <list>', 'such as 25,3306', '')
    .option('--dry-run', 'print the rules, for iptables-restore --noflush')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill proxy-init --skip-inbound-ports 4191,9000 --dry-run',
    )
    .action((flags: RedirectionFlags & { dryRun?: boolean }) => {
      const redirection = redirectionOf(flags);
      if (flags.dryRun) process.stdout.write(redirectRules(redirection));
      else applyRedirection(redirection);
    });
}
