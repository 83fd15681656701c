/** `stat`, `routes`, `top`, `edges`, `compliance`: read directly from the proxies, with or without Kubernetes. */
import type { Command } from 'commander';
import { sleep } from '../../../base/clock.js';
import { parseDurationMs } from '../../../base/duration.js';
import { exitCode, UserError } from '../../../base/errors.js';
import type { Observed, TargetOptions } from './targets.js';
import type { Traffic } from './rows.js';
import { formatOption } from '../../../base/format-option.js';
import { choiceOption } from '../../../base/choice-option.js';
import { readTrustDomain } from '../../identity/names.js';

export interface Options extends TargetOptions {
  window: string;
  format: string;
  direction?: string;
  count?: string;
  watch?: boolean;
}

const example = (name: string): string => `
Examples:
  firedrill ${name}                                        # the pods of the current cluster
  firedrill ${name} -n shop deploy/web
  firedrill ${name} --proxies 127.0.0.1:4191,127.0.0.1:4192
  firedrill ${name} --mesh-file mesh.yaml --format json    # proxies: [{ admin: 4191 }, ...]`;

/** Options for finding proxies, the same for every verb that reads proxies. */
export function targeted(command: Command): Command {
  return command
    .option(
      '--proxies <addresses>',
      'admin addresses of proxies, with commas between; a bare port is of loopback',
    )
    .option('--mesh-file <file>', 'YAML or JSON with proxies: [{ admin: address or port }]')
    .option('-n, --namespace <name>', 'namespace of the pods; default: all')
    .option('--kubeconfig <file>', 'default: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig');
}

function add(program: Command, name: string, description: string): Command {
  return targeted(program.command(name).description(description))
    .argument('[workload]', 'such as deploy/web, sts/db, pod/web-1 or web; absent: all')
    .option('--window <duration>', 'time of observation', '2s')
    .option('--wait <duration>', 'wait until every proxy answers, at most this long')
    .option('--watch', 'repeat until Ctrl-C')
    .option('--count <n>', 'with --watch: stop after n screens')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', example(name));
}

export function registerObserve(program: Command): void {
  add(program, 'stat', 'Show success rate, request rate and latency for each workload')
    .addOption(
      choiceOption('--direction <side>', 'by workload, or by workload and service it calls', [
        'inbound',
        'outbound',
      ]).default('inbound'),
    )
    .action(watched(stat));
  add(
    program,
    'routes',
    'Show success rate, request rate and latency for each route, before and after retries',
  ).action(watched(routes));
  add(program, 'top', 'Show the busiest routes, live').action(
    (workload: string | undefined, options) => top({ ...options, workload }),
  );
  add(program, 'edges', 'Show connections between workloads, with their identities').action(
    watched(showEdges),
  );
  add(
    program,
    'compliance',
    'Show the share of encrypted connections, and replicas that differ in policy',
  )
    .addHelpText('after', '\nExit code 1 where replicas differ, 3 where no connection was made.')
    .action(watched(compliance));
  registerTap(program);
  registerWhy(program);
  registerPolicy(program);
}

function registerTap(program: Command): void {
  const command = program
    .command('tap')
    .description('Show live requests')
    .argument('[workload]', 'such as deploy/web, sts/db, pod/web-1 or web; absent: all');
  targeted(command)
    .addOption(
      choiceOption('--direction <side>', 'which side of the proxies (default: both)', [
        'inbound',
        'outbound',
      ]),
    )
    .option('--to <service>', 'called service, such as cart.retail')
    .option('--route <name>', 'the name of a route')
    .option('--method <method>', 'method, such as POST')
    .option('--authority <host>', 'authority (Host) that the client sent')
    .option('--path <prefix>', 'beginning of the path')
    .option('--identity <name>', "the client's or the server's; exact, or *.suffix")
    .option('--status <range>', '503, 5xx or 500-599')
    .option('--failures', 'show only failed requests')
    .option('--header <name...>', 'show these headers; sensitive ones are redacted all the same')
    .option('--max-rps <n>', 'requests a second of each proxy; the excess is left out', '100')
    .option('--sample <ratio>', 'share of what fits', '1')
    .option('--duration <duration>', 'time after which the command ends', '1m')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `${example('tap')}
  firedrill tap --to payment.retail --status 5xx --header traceparent`,
    )
    .action(async (workload: string | undefined, options) => {
      const { tap } = await import('./tap-command.js');
      process.exitCode = await tap({ ...options, workload });
    });
}

function registerWhy(program: Command): void {
  const command = program
    .command('why')
    .description('Explain a request: route, endpoints, breakers, retries, policy')
    .argument('[request-id]', 'x-request-id or trace id; absent: the latest decisions');
  targeted(command)
    .option('--workload <name>', 'workload, such as deploy/web; default: all')
    .option(
      '--for <duration>',
      'time for which the proxies record every request before they are asked',
    )
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `
Examples:
  firedrill why --for 1m --proxies 4191,4192
  firedrill why 8f14e45f-ceea-467f-a9c2-7a1f3d7e8a10 --proxies 4191,4192`,
    )
    .action(async (id: string | undefined, options) => {
      const { why } = await import('./why-command.js');
      process.exitCode = await why(id, options);
    });
}

function registerPolicy(program: Command): void {
  const policy = program.command('policy').description('Show and audit authorization policy');
  targeted(policy.command('show').description('Show servers and authorizations at each proxy'))
    .argument('[workload]', 'such as deploy/web; absent: all')
    .option('--wait <duration>', 'wait until every proxy answers, at most this long')
    .option('--watch', 'repeat until Ctrl-C')
    .option('--count <n>', 'with --watch: stop after n screens')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', example('policy show'))
    .action(
      watched(async (options) =>
        (await import('./policy-command.js')).showPolicy(options as never),
      ),
    );
  targeted(
    policy.command('audit').description('Show the observed traffic that another policy would deny'),
  )
    .option('--default <mode>', 'default, such as deny, to try on the existing servers')
    .option('--registry <file>', 'try the policy of this registry file')
    .option(
      '--trust-domain <name>',
      'trust domain of the registry',
      readTrustDomain,
      'cluster.local',
    )
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `
Examples:
  firedrill policy audit --default deny
  firedrill policy audit --registry tighter.yaml --trust-domain retail.local --proxies 4191,4192

Exit code 1 where traffic would be denied, 3 where none was seen, or it depends on networks that are not counted.`,
    )
    .action(async (options) => (await import('./policy-command.js')).audit(options));
}

/** Runs once, or repeatedly with --watch; a terminal is cleared in between. */
function watched(
  show: (options: Options) => Promise<void>,
): (workload: string | undefined, options: Options) => Promise<void> {
  return async (workload, options) => {
    const screens = options.watch ? screensOf(options) : 1;
    for (let screen = 0; screen < screens; screen++) {
      if (screen > 0) await sleep(1000);
      if (options.watch && process.stdout.isTTY) {
        (await import('../../../base/terminal.js')).startAnew(process.stdout, 'screen');
      }
      await show({ ...options, workload });
    }
  };
}

function screensOf({ count }: Options): number {
  if (count === undefined) return Infinity;
  const screens = Number(count);
  if (Number.isInteger(screens) && screens > 0) return screens;
  throw new UserError({ message: `--count ${count}`, expected: 'a number above 0' });
}

export async function look(options: Options, windowMs?: number): Promise<Observed[]> {
  const { observeAll } = await import('./targets.js');
  const ms = windowMs ?? parseDurationMs(options.window);
  // Nothing happens in no time: rates would be those of nothing.
  if (ms === undefined || ms > 600_000 || (windowMs === undefined && ms < 200)) {
    throw new UserError({
      message: `--window ${options.window}`,
      expected: 'a duration from 200ms to 10m, such as 2s',
    });
  }
  return observeAll(options, ms);
}

async function print(
  options: Options,
  header: string[],
  rows: Record<string, unknown>[],
  cells: (row: never) => string[],
): Promise<void> {
  const { formatTable } = await import('../../../base/terminal.js');
  process.stdout.write(
    options.format === 'json'
      ? `${JSON.stringify(rows, undefined, 2)}\n`
      : `${formatTable(
          header,
          rows.map((r) => cells(r as never)),
        )}\n`,
  );
}

export interface Row extends Record<string, unknown> {
  name: string;
  service: string;
  route: string;
  meshed: string;
  successRatio: number | null;
  requestsPerSecond: number;
  actualSuccessRatio: number | null;
  actualRequestsPerSecond: number;
  retriesPerSecond: number;
  latencyMsP50: number | null;
  latencyMsP95: number | null;
  latencyMsP99: number | null;
  tcpConnections: number;
}

export async function rowsOf(
  proxies: Observed[],
  key: (labels: Record<string, string>, p: Observed) => string | undefined,
): Promise<Row[]> {
  const { quantile, traffic, workloadOf } = await import('./rows.js');
  const per = (count: number, seconds: number): number => (seconds > 0 ? count / seconds : 0);
  const row = ([text, t]: [string, Traffic]): Row => {
    const [name = '', service = '', route = ''] = text.split('\u0000');
    const own = proxies.filter((p) => workloadOf(p) === name);
    const open = own.flatMap((p) =>
      p.after.filter((s) => s.name === 'tcp_open_connections' && s.labels.peer === 'src'),
    );
    return {
      name,
      service,
      route,
      meshed: `${own.length}/${own[0]?.pods ?? own.length}`,
      successRatio: t.requests > 0 ? t.success / t.requests : null,
      requestsPerSecond: per(t.requests, t.seconds),
      actualSuccessRatio: t.tries > 0 ? t.goodTries / t.tries : null,
      actualRequestsPerSecond: per(t.tries, t.seconds),
      retriesPerSecond: per(t.retries, t.seconds),
      latencyMsP50: quantile(t.buckets, 0.5) ?? null,
      latencyMsP95: quantile(t.buckets, 0.95) ?? null,
      latencyMsP99: quantile(t.buckets, 0.99) ?? null,
      tcpConnections: open.reduce((sum, s) => sum + s.value, 0),
    };
  };
  return [...traffic(proxies, key)].sort(([a], [b]) => (a < b ? -1 : 1)).map(row);
}

const ratio = (value: number | null): string =>
  value === null ? '-' : `${(100 * value).toFixed(2)}%`;
const rps = (value: number): string => `${value.toFixed(1)}rps`;
const ms = (value: number | null): string =>
  value === null ? '-' : `${value < 10 ? value.toFixed(1) : Math.round(value)}ms`;
const latencies = (r: Row): string[] => [
  ms(r.latencyMsP50),
  ms(r.latencyMsP95),
  ms(r.latencyMsP99),
];

async function stat(options: Options): Promise<void> {
  const { workloadOf } = await import('./rows.js');
  const outbound = options.direction === 'outbound';
  const rows = await rowsOf(await look(options), (labels, p) => {
    if (labels.direction !== (outbound ? 'outbound' : 'inbound')) return undefined;
    if (outbound && labels.dst === undefined) return undefined;
    return outbound ? `${workloadOf(p)}\u0000${labels.dst ?? ''}` : workloadOf(p);
  });
  const header = [
    'NAME',
    'MESHED',
    'SUCCESS',
    'RPS',
    'LATENCY_P50',
    'LATENCY_P95',
    'LATENCY_P99',
    'TCP_CONN',
  ];
  if (outbound) header.splice(1, 1, 'SERVICE');
  await print(options, header, rows, (r: Row) => [
    r.name,
    outbound ? r.service : r.meshed,
    ratio(r.successRatio),
    rps(r.requestsPerSecond),
    ...latencies(r),
    String(r.tcpConnections),
  ]);
}

export const byRoute =
  (name: (p: Observed) => string) =>
  (labels: Record<string, string>, p: Observed): string | undefined =>
    labels.direction === 'outbound' && labels.rt_route !== undefined
      ? `${name(p)}\u0000${labels.dst ?? ''}\u0000${labels.rt_route}`
      : undefined;

async function routes(options: Options): Promise<void> {
  const { workloadOf } = await import('./rows.js');
  const rows = await rowsOf(await look(options), byRoute(workloadOf));
  const header = [
    'ROUTE',
    'SERVICE',
    'FROM',
    'EFFECTIVE_SUCCESS',
    'EFFECTIVE_RPS',
    'ACTUAL_SUCCESS',
    'ACTUAL_RPS',
    'RETRIES',
    'LATENCY_P50',
    'LATENCY_P95',
    'LATENCY_P99',
  ];
  await print(options, header, rows, (r: Row) => [
    r.route,
    r.service,
    r.name,
    ratio(r.successRatio),
    rps(r.requestsPerSecond),
    ratio(r.actualSuccessRatio),
    rps(r.actualRequestsPerSecond),
    rps(r.retriesPerSecond),
    ...latencies(r),
  ]);
}

async function top(options: Options): Promise<void> {
  const { workloadOf } = await import('./rows.js');
  const { formatTable, startAnew } = await import('../../../base/terminal.js');
  const screens = screensOf(options);
  for (let screen = 0; screen < screens; screen++) {
    const rows = (await rowsOf(await look(options), byRoute(workloadOf)))
      .filter((r) => r.requestsPerSecond > 0)
      .sort((a, b) => b.requestsPerSecond - a.requestsPerSecond)
      .slice(0, 30);
    if (options.format === 'json') {
      process.stdout.write(`${JSON.stringify(rows)}\n`);
      continue;
    }
    const table = formatTable(
      ['SOURCE', 'DESTINATION', 'ROUTE', 'RPS', 'P50', 'P95', 'P99', 'SUCCESS_RATE'],
      rows.map((r) => [
        r.name,
        r.service,
        r.route,
        rps(r.requestsPerSecond),
        ...latencies(r),
        ratio(r.successRatio),
      ]),
    );
    if (process.stdout.isTTY) startAnew(process.stdout, 'screen');
    process.stdout.write(`${table}\n`);
    if (screen + 1 < screens) await sleep(100);
  }
}

async function showEdges(options: Options): Promise<void> {
  const { edges } = await import('./rows.js');
  const found = edges(await look(options, 0));
  const header = ['SRC', 'DST', 'SRC_NS', 'DST_NS', 'CLIENT_ID', 'SERVER_ID', 'SECURED'];
  await print(
    options,
    header,
    found as unknown as Record<string, unknown>[],
    (e: (typeof found)[number]) => [
      e.src,
      e.dst,
      e.srcNamespace,
      e.dstNamespace || '-',
      e.clientId || '-',
      e.serverId || '-',
      e.secured ? '√' : '×',
    ],
  );
}

async function compliance(options: Options): Promise<void> {
  const { encryption } = await import('./rows.js');
  const { findDrift } = await import('./drift.js');
  const proxies = await look(options, 0);
  const { encrypted, total } = encryption(proxies);
  const drift = findDrift(proxies);
  if (options.format === 'json') {
    const encryptedRatio = total > 0 ? encrypted / total : null;
    process.stdout.write(
      `${JSON.stringify({ encryptedRatio, connections: total, drift }, undefined, 2)}\n`,
    );
  } else {
    const share = total > 0 ? `${((100 * encrypted) / total).toFixed(1)}%` : 'none were made';
    process.stdout.write(
      `encrypted connections between workloads: ${share} (${encrypted} of ${total})\n`,
    );
    for (const d of drift) {
      const variants = d.variants.map((v) => `${v.hash} on ${v.proxies.join(', ')}`);
      process.stdout.write(
        `policy differs between the replicas of ${d.workload}: ${variants.join('; ')}\n`,
      );
    }
    if (drift.length === 0)
      process.stdout.write('policy: the same on all replicas of each workload\n');
  }
  if (drift.length > 0) process.exitCode = exitCode.failed;
  else if (total === 0) process.exitCode = exitCode.inconclusive;
}
