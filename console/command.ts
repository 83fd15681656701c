/** `firedrill console`: shows a drill in the browser, live or recorded, and the mesh and its SLOs. */
import { existsSync } from 'node:fs';
import { isIP, SocketAddress } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import { withAccess } from '../base/access-options.js';
import type { AccessFlags } from '../base/access.js';
import { exitCode, UserError } from '../base/errors.js';
import { eventFileName } from '../chaos/gameday/event-file.js';
import type { Behind } from './door.js';
import { eachWhole } from '../base/choice-option.js';

interface Options extends AccessFlags {
  report: string;
  before?: string;
  drill?: string;
  prometheus?: string;
  alertmanager?: string;
  proxies?: string;
  controller?: string;
  cluster?: boolean;
  kubeconfig?: string;
  context?: string;
  listen: string;
  port: string;
  state: string;
  allowDrills?: boolean;
  allowEdits?: boolean;
  userHeader?: string;
  trustedProxy: string[];
  publicUrl?: string;
}

export function registerConsole(parent: Command): void {
  const command = parent
    .command('console')
    .description('Open the console: drills live or replayed, the mesh and its SLOs, in the browser')
    .option('--report <folder>', 'report folder that gameday run writes (--out)', 'gameday-report')
    .option('--before <folder>', 'an earlier report for comparison')
    .option(
      '--drill <file>',
      'drill file whose plan is shown (default: firedrill.yaml in this folder)',
    )
    .option('--prometheus <url>', 'Prometheus for alerts, SLOs and runbooks with live answers')
    .option('--alertmanager <url>', 'Alertmanager for groups and silences')
    .option('--proxies <addresses>', 'admin addresses, comma-separated; a bare port is on loopback')
    .option('--controller <url>', 'its admin address, such as http://127.0.0.1:9990')
    .option('--cluster', 'proxies and controller of the Kubernetes cluster, by its API server')
    .option('--kubeconfig <file>', 'default: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--port <number>', 'port to listen on; 0 picks a free one', '0')
    .option('--allow-drills', 'let viewers start, stop and answer drills')
    .option('--allow-edits', 'let viewers edit postmortem.md of the report')
    .option('--state <folder>', 'folder of the kill switch and the coverage of runs', '.firedrill')
    .option(
      '--listen <address>',
      'with --user-header: the address for the reverse proxy',
      '127.0.0.1',
    )
    .option(
      '--user-header <name>',
      'header in which a reverse proxy names the viewer, instead of tokens',
    )
    .option('--trusted-proxy <address>', 'address of the reverse proxy; repeatable', eachWhole, [])
    .option('--public-url <url>', 'URL that browsers use, behind the reverse proxy');
  withAccess(command)
    .addHelpText(
      'after',
      `
The console prints an address with a token that is valid for one visit, and a new address after each visit. It listens
on loopback only, unless an authenticating reverse proxy stands in front of it (--user-header).

Examples:
  firedrill gameday run & firedrill console --allow-drills
  firedrill console --report gameday-report --before last-month --allow-edits --port 8080
  firedrill console --prometheus http://localhost:9090 --alertmanager http://localhost:9093 --proxies 4191,4192
  firedrill console --cluster --prometheus http://localhost:9090
  firedrill console --listen 10.0.0.5 --user-header x-forwarded-user --trusted-proxy 10.0.0.2 \\
    --public-url https://drills.example`,
    )
    .action(async (options: Options) => {
      process.exitCode = await consoleCommand(options);
    });
}

async function consoleCommand(options: Options): Promise<number> {
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    const message = `bad --port '${options.port}'`;
    throw new UserError({ message, expected: 'a port from 0 to 65535' });
  }
  const behind = behindOf(options);
  if (!existsSync(options.report)) {
    process.stderr.write(`${options.report} is missing: waiting for a drill\n`);
  } else if (![eventFileName, 'record.json'].some((n) => existsSync(join(options.report, n)))) {
    process.stderr.write(`${options.report} contains no drill yet: waiting for one\n`);
  }
  const { startConsole } = await import('./server.js');
  const { sourcesOf, drillsOf } = await import('./sources.js');
  const running = await startConsole({
    folder: options.report,
    host: options.listen,
    port,
    ...sourcesOf(options),
    ...(behind && { behind }),
    ...(options.allowDrills && { drills: drillsOf(options) }),
    ...(options.allowEdits && { mayEdit: true }),
    onAddress: (address) => process.stdout.write(`${address}\n`),
  });
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await running.close();
  return exitCode.ok;
}

/** Beyond loopback no token is accepted: it would cross the network in clear text. */
function behindOf({ listen, userHeader, trustedProxy, publicUrl }: Options): Behind | undefined {
  if (userHeader === undefined) {
    if (listen === '127.0.0.1' && trustedProxy.length === 0 && publicUrl === undefined)
      return undefined;
    throw new UserError({
      message: '--listen, --trusted-proxy and --public-url are for a reverse proxy',
      expected: 'also --user-header, the header in which it names the viewer',
    });
  }
  if (!/^[\w-]+$/.test(userHeader)) {
    const message = `bad --user-header '${userHeader}'`;
    throw new UserError({ message, expected: 'the name of a header, such as x-forwarded-user' });
  }
  const wrong = [listen, ...trustedProxy].find((address) => isIP(address) === 0);
  if (wrong !== undefined || trustedProxy.length === 0) {
    const message = wrong === undefined ? 'no --trusted-proxy' : `'${wrong}' is no IP address`;
    throw new UserError({
      message,
      expected: 'the address of the reverse proxy, such as 10.0.0.2',
    });
  }
  if (publicUrl === undefined || !URL.canParse(publicUrl) || !/^https?:/.test(publicUrl)) {
    const message = `bad --public-url '${publicUrl ?? ''}'`;
    throw new UserError({ message, expected: 'such as https://drills.example' });
  }
  return {
    userHeader: userHeader.toLowerCase(),
    peers: new Set(trustedProxy.map(asPeer)),
    origin: new URL(publicUrl).origin,
  };
}

/** As the kernel writes a peer's address: in lower case, shortened. */
function asPeer(address: string): string {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return new SocketAddress({ address, family }).address.replace(/^::ffff:/, '');
}
