/** Command-line options for reaching existing servers; `readAccess` reads them. */
import type { Command } from 'commander';

/** Adds the options; their values are `AccessFlags`. */
export const withAccess = (command: Command): Command =>
  command
    .option('--bearer-file <file>', 'file with the token for these addresses')
    .option('--ca <file>', 'PEM of the trusted authorities there')
    .option('--cert <file>', 'PEM of the client certificate, with --key')
    .option('--key <file>', "PEM of the client certificate's key")
    .option('--insecure', 'accept any server certificate there');
