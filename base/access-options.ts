/** Command-line options for reaching existing servers; `readAccess` reads them. */
import type { Command } from 'commander';

/** Adds the options; their values are `AccessFlags`. */
export const withAccess = (command: Command): Command =>
  command
    .option('--bearer-file <file>', 'holds the token for those addresses')
    .option('--ca <file>', 'PEM: whom to trust there; --cert and --key: who asks')
    .option('--cert <file>', 'PEM')
    .option('--key <file>', 'PEM')
    .option('--insecure', 'trust whoever answers there');
