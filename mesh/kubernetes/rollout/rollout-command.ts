/** `firedrill canary service NAME`: a new version takes over step by step, or is rolled back automatically. */
import type { Command } from 'commander';
import { withAccess } from '../../../base/access-options.js';
import { type AccessFlags, readAccess } from '../../../base/access.js';
import { parseDurationMs } from '../../../base/duration.js';
import { exitCode, UserError } from '../../../base/errors.js';
import { realClock, sleep } from '../../../base/clock.js';
import type { KubeApi } from '../client/api.js';
import type { CountSource, Versions } from './counts.js';
import { budgetSpent, rollOut, type RolloutRecord, type Stage } from './rollout.js';
import { formatOption } from '../../../base/format-option.js';

interface Flags extends AccessFlags {
  namespace: string;
  kubeconfig?: string;
  context?: string;
  stable?: string;
  canary?: string;
  steps: string;
  mirror?: boolean;
  httpRoute?: string;
  every: string;
  poll: string;
  minRequests: string;
  errorRate: string;
  margin: string;
  slowerThan?: string;
  prometheus?: string;
  total?: string;
  bad?: string;
  slow?: string;
  objective?: string;
  period: string;
  format: string;
}

/** Registers the command below the one that judges a control plane's canary. */
export function registerRollout(canary: Command): void {
  const command = canary
    .command('service')
    .description('Roll out a new version of a service step by step, with automatic rollback')
    .argument('<service>', 'the Service that callers know')
    .requiredOption('-n, --namespace <name>', 'namespace of the Service')
    .option('--stable <service>', 'Service of the old version (default: SERVICE-stable)')
    .option('--canary <service>', 'Service of the new version (default: SERVICE-canary)')
    .option(
      '--steps <list>',
      'percent of the traffic, one after the other; blue/green: 100',
      '5,25,50,100',
    )
    .option('--mirror', 'first send copies, whose answers are dropped (with --http-route)')
    .option('--http-route <name>', 'HTTPRoute whose weights move (default: a TrafficSplit)')
    .option('--every <duration>', 'shortest duration of a step', '2m')
    .option('--poll <duration>', 'time between two checks', '2s')
    .option('--min-requests <n>', 'requests to each version before a step is judged', '100')
    .option('--error-rate <share>', 'chance that a version which is no worse goes back', '0.05')
    .option(
      '--margin <factor>',
      "tolerated failure rate, as a multiple of the stable version's",
      '1',
    )
    .option('--slower-than <duration>', 'answers that take longer are compared too')
    .option('--prometheus <url>', 'counts from there instead of from sidecars')
    .option('--total <promql>', 'counter of requests; {{version}} is a Service')
    .option('--bad <promql>', 'counter of failures; it needs a series before the first one')
    .option('--slow <promql>', 'counter of slow requests, or of any excess')
    .option(
      '--objective <percent>',
      'objective, such as 99.9: the spent part of its error budget is printed',
    )
    .option('--period <duration>', 'period of that budget', '30d')
    .option('--kubeconfig <file>', 'default: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .addOption(formatOption('text', 'json'));
  withAccess(command)
    .addHelpText(
      'after',
      `
Failures and slow answers of both versions are compared by a sequential test, however often it is looked at: a version
that is no worse goes back with a probability of at most --error-rate. Ctrl-C sends all traffic to the old version; so
does a process beside this one, should this one be killed. A change of the weights by somebody else ends it, too.

Exit codes: 0 the new version has all of the traffic, 1 it was worse and all went back, 3 too few requests or
counts to say, or weights that somebody else changed (back), 130 interrupted (back). 2 and 5: nothing had moved.

Examples:
  firedrill canary service web -n shop --steps 5,25,50,100 --every 5m --slower-than 300ms --objective 99.9
  firedrill canary service web -n shop --mirror --http-route web --steps 100      # blue/green, copies first
  firedrill canary service web -n shop --prometheus http://prom:9090 \\
    --total 'sum(http_requests_total{service="{{version}}"})' \\
    --bad 'sum(http_requests_total{service="{{version}}"}) -
      sum(http_requests_total{service="{{version}}",code!~"5.."})'`,
    )
    .action(run);
}

async function run(service: string, flags: Flags): Promise<void> {
  const { namespace, kubeconfig, context, format } = flags;
  const versions: Versions = {
    namespace,
    stable: flags.stable ?? `${service}-stable`,
    canary: flags.canary ?? `${service}-canary`,
  };
  const plan = planOf(flags);
  const { KubeApi } = await import('../client/api.js');
  const { findCredentials } = await import('../client/credentials.js');
  const { checkedWeightsOf, whyDisturbed } = await import('./weights.js');
  const { startRolloutWarden } = await import('./warden.js');
  const access = { kubeconfig, context };
  const api = new KubeApi(await findCredentials(access));
  const source = await sourceOf(api, flags, versions, plan.slowerThanMs);
  const of = { service, versions, httpRoute: flags.httpRoute };
  const weights = await checkedWeightsOf(api, of, () => mustCount(source));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort());
  }
  const warden = startRolloutWarden({ access, of });
  const say = (line: string): void => {
    if (format === 'text') process.stdout.write(`${line}\n`);
  };
  try {
    const record = await rollOut({
      ...plan,
      apply: (stage) => weights.set(stage),
      counts: () => source.counts(),
      doubt: () => source.doubt(),
      disturbed: () => whyDisturbed(weights),
      nowMs: () => realClock.monotonicMs(),
      sleep: (ms) => sleep(ms, stop.signal),
      signal: stop.signal,
      say,
    });
    warden.dismiss();
    show(record, plan.budget, versions, flags);
  } finally {
    // After a failed rollback the warden is not dismissed: it tries again.
    api.close();
  }
}

/** Throws an error if nothing could be compared. */
async function mustCount(source: CountSource): Promise<void> {
  await source.counts();
  const doubt = source.doubt();
  if (doubt !== undefined) throw new UserError(doubt, exitCode.environment);
}

const codes: Record<RolloutRecord['verdict'], number> = {
  promoted: exitCode.ok,
  'rolled back': exitCode.failed,
  inconclusive: exitCode.inconclusive,
  interrupted: exitCode.interrupted,
};

function show(
  record: RolloutRecord,
  budget: Plan['budget'],
  versions: Versions,
  { period, format }: Pick<Flags, 'period' | 'format'>,
): void {
  process.exitCode = codes[record.verdict];
  const spent = budget && budgetSpent(record, budget.objective, budget.periodMs / 1000);
  if (format === 'json') {
    const value = {
      ...record,
      ...versions,
      ...(spent !== undefined && { budgetSpent: spent }),
    };
    process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
    return;
  }
  const { evidence, canary, stable } = record;
  const where = record.verdict === 'promoted' ? versions.canary : versions.stable;
  const lines = [
    `${record.verdict}: ${record.why}`,
    `compared: ${canary.requests} requests at ${versions.canary} (${canary.failed} failed, ${canary.slow} slow), ` +
      `${stable.requests} at ${versions.stable} (${stable.failed} failed, ${stable.slow} slow)`,
    `evidence that it is worse: failures ${evidence.failures.toPrecision(3)}, slowness ` +
      `${evidence.slowness.toPrecision(3)} (chance alone reaches x once in x roll-outs at most)`,
    ...(spent === undefined
      ? []
      : [`error budget spent by its failures: ${(100 * spent).toPrecision(2)}% of ${period}`]),
    `all traffic goes to ${where}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

interface Plan {
  stages: Stage[];
  stageMs: number;
  pollMs: number;
  minRequests: number;
  alpha: number;
  margin: number;
  slowerThanMs: number | undefined;
  budget: { objective: number; periodMs: number } | undefined;
}

/** Throws a UserError for an invalid value of a flag. */
function planOf(flags: Flags): Plan {
  const steps = flags.steps.split(',').map(Number);
  const rising = steps.every((s, i) => s > (steps[i - 1] ?? 0) && s <= 100 && Number.isInteger(s));
  if (!rising || steps.at(-1) !== 100) {
    const expected = 'rising percentages that end with 100, such as 5,25,50,100';
    throw new UserError({ message: `--steps ${flags.steps}`, expected });
  }
  if (flags.mirror && flags.httpRoute === undefined) {
    const message = '--mirror: a TrafficSplit cannot mirror';
    throw new UserError({ message, expected: '--http-route NAME' });
  }
  if (steps.length === 1 && !flags.mirror) {
    const message = '--steps 100 alone: nothing would be compared before all traffic moves';
    throw new UserError({ message, expected: '--mirror, or a smaller step before it' });
  }
  return {
    stages: [
      ...(flags.mirror ? [{ kind: 'mirror' } as const] : []),
      ...steps.map((s): Stage => ({ kind: 'weight', percent: s })),
    ],
    stageMs: durationOf('--every', flags.every),
    pollMs: durationOf('--poll', flags.poll),
    minRequests: numberOf('--min-requests', flags.minRequests, 1e9),
    alpha: numberOf('--error-rate', flags.errorRate, 0.5),
    margin: numberOf('--margin', flags.margin, 1000),
    slowerThanMs:
      flags.slowerThan === undefined ? undefined : durationOf('--slower-than', flags.slowerThan),
    budget:
      flags.objective === undefined
        ? undefined
        : {
            objective: numberOf('--objective', flags.objective.replace(/%$/, ''), 99.9999) / 100,
            periodMs: durationOf('--period', flags.period),
          },
  };
}

function durationOf(name: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new UserError({ message: `${name} ${text}`, expected: 'a duration such as 2m' });
}

function numberOf(name: string, text: string, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && value <= most) return value;
  throw new UserError({
    message: `${name} ${text}`,
    expected: `a number above 0, at most ${most}`,
  });
}

async function sourceOf(
  api: KubeApi,
  flags: Flags,
  versions: Versions,
  slowerThanMs: number | undefined,
): Promise<CountSource> {
  const { MeshCounts, PrometheusCounts } = await import('./counts.js');
  const { prometheus, total, bad, slow, kubeconfig, context } = flags;
  const needless = total ?? bad ?? slow;
  if (prometheus === undefined) {
    if (needless === undefined) {
      return new MeshCounts(api, { kubeconfig, context }, versions, slowerThanMs);
    }
    throw new UserError({ message: `'${needless}' is PromQL`, expected: '--prometheus URL' });
  }
  if (total === undefined || (bad ?? slow) === undefined) {
    const message = '--prometheus alone compares nothing';
    throw new UserError({ message, expected: '--total, and --bad or --slow' });
  }
  return new PrometheusCounts(
    readAccess('the Prometheus', { ...flags, url: prometheus }),
    versions,
    {
      total,
      bad,
      slow,
    },
  );
}
