/** `firedrill identity deny` and `denied`: revoke certificates that were stolen or are no longer wanted. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { parseDurationMs } from '../../base/duration.js';
import { UserError } from '../../base/errors.js';
import { formatTable } from '../../base/terminal.js';
import { type Denial, denialsFile, readDenials, serialOf, withDenial } from './denials.js';
import { parseIdentity } from './names.js';
import { formatOption } from '../../base/format-option.js';

interface Where {
  folder?: string;
  kubernetes?: boolean;
  namespace: string;
  kubeconfig?: string;
}

interface Flags extends Where {
  serial?: string;
  identity?: string;
  for: string;
  reason?: string;
  undo?: boolean;
}

/** The place of denials, beside the issuer. */
export interface DenialKeeper {
  read(): Promise<Denial[]>;
  change(next: (list: Denial[]) => Denial[]): Promise<void>;
}

const placed = (command: Command): Command =>
  command
    .option('--folder <path>', 'folder with issuer.crt')
    .option('--kubernetes', "the Secret of firedrill install, in the kubeconfig's cluster")
    .option(
      '-n, --namespace <name>',
      "the control plane's namespace, with --kubernetes",
      'firedrill',
    )
    .option('--kubeconfig <file>', 'default: KUBECONFIG, ~/.kube/config');

export function registerDeny(identity: Command): void {
  placed(identity.command('deny'))
    .description('Make every proxy and controller refuse a certificate, or all of an identity')
    .option('--serial <hex>', 'serial number of one certificate, as identity inspect shows it')
    .option(
      '--identity <name>',
      'all current certificates of this identity; the workload may join again with its token',
    )
    .option(
      '--for <duration>',
      'duration of the denial, at least the lifetime of certificates',
      '30d',
    )
    .option('--reason <text>', 'a note for readers of the list')
    .option('--undo', 'remove the denial')
    .addHelpText(
      'after',
      `
Examples:
  firedrill identity deny --kubernetes --serial 4F2A... --reason 'laptop stolen'
  firedrill identity deny --folder pki --identity cart.retail.serviceaccount.identity.retail.local

A denial takes effect when the proxies have the next bundle, within seconds. The controller cuts open connections;
proxies cut tunnels and close idle connections within a second, and a request in flight goes on to its end.
A workload that is denied by its identity may join again.`,
    )
    .action(async (flags: Flags) => {
      const nowMs = Date.now();
      const denial = denialOf(flags, nowMs);
      const keeper = await keeperOf(flags);
      await keeper.change((list) =>
        flags.undo
          ? list.filter((d) => d.serial !== denial.serial || d.identity !== denial.identity)
          : withDenial(list, denial, nowMs),
      );
      const what = denial.serial ?? denial.identity ?? '';
      process.stdout.write(
        flags.undo ? `${what}: no longer denied\n` : `${what}: denied until ${iso(denial.until)}\n`,
      );
    });
  placed(identity.command('denied'))
    .description('List denied certificates and when each denial ends')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill identity denied --folder pki --format json')
    .action(async (flags: Where & { format: string }) => {
      const list = (await (await keeperOf(flags)).read()).filter((d) => d.until > Date.now());
      const text =
        flags.format === 'json'
          ? JSON.stringify(list, undefined, 2)
          : list.length === 0
            ? 'nothing is denied'
            : formatTable(
                ['WHAT', 'BEGAN BEFORE', 'UNTIL', 'REASON'],
                list.map((d) => [
                  d.serial ?? d.identity ?? '',
                  d.before === undefined ? '-' : iso(d.before),
                  iso(d.until),
                  d.reason ?? '',
                ]),
              );
      process.stdout.write(`${text}\n`);
    });
}

const iso = (ms: number): string => new Date(ms).toISOString();

function denialOf(flags: Flags, nowMs: number): Denial {
  if ((flags.serial === undefined) === (flags.identity === undefined)) {
    throw new UserError({
      message: 'no certificate given',
      expected: 'one of --serial and --identity',
    });
  }
  const forMs = parseDurationMs(flags.for);
  if (!forMs)
    throw new UserError({ message: `--for ${flags.for}`, expected: 'a duration such as 30d' });
  const rest = {
    until: nowMs + forMs,
    ...(flags.reason ? { reason: flags.reason.slice(0, 200) } : {}),
  };
  if (flags.serial !== undefined) return { serial: serialOf(flags.serial), ...rest };
  const identity = flags.identity ?? '';
  if (!parseIdentity(identity)) {
    const expected = 'such as cart.retail.serviceaccount.identity.retail.local';
    throw new UserError({ message: `--identity ${identity}`, expected });
  }
  return { identity, before: nowMs, ...rest };
}

async function keeperOf(where: Where): Promise<DenialKeeper> {
  if ((where.folder === undefined) === (where.kubernetes === undefined)) {
    throw new UserError({
      message: 'no issuer given',
      expected: 'one of --folder and --kubernetes',
    });
  }
  if (where.folder === undefined) {
    const { denialsInSecret } = await import('../kubernetes/secret-denials.js');
    return denialsInSecret(where);
  }
  if (!statSync(where.folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError({ message: `--folder ${where.folder}`, expected: 'a folder that exists' });
  }
  const file = join(where.folder, denialsFile);
  const { writeFileWhole } = await import('../../base/write-file.js');
  return {
    read: () => Promise.resolve(readDenials(file)),
    change: (next) => {
      writeFileWhole(file, `${JSON.stringify(next(readDenials(file)), undefined, 2)}\n`, 0o600);
      return Promise.resolve();
    },
  };
}
