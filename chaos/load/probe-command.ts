/** `firedrill load probe`: a drill's rules on callers' experience need a caller in production, too. */
import { sleep } from '../../base/clock.js';
import { exitCode, UserError } from '../../base/errors.js';
import { readSwitch } from '../runner/stop-switch.js';
import { startClientMetrics } from './client-metrics.js';
import { startPlan } from './load.js';
import { readLoad, sentTo } from './load-file.js';
import { baseOf, targetUrl } from './target-url.js';

export interface ProbeOptions {
  url?: string;
  rate: string;
  listen: string;
  state: string;
}

const lookPeriodMs = 250;

export async function probeCommand(file: string, options: ProbeOptions): Promise<number> {
  const plan = readLoad(file);
  if (plan.kind !== 'profile') {
    throw new UserError({ message: `${file} is a script`, expected: 'a profile: load.yaml' });
  }
  const rate = Number(options.rate);
  if (!(rate >= 0.1 && rate <= 1000)) {
    throw new UserError({ message: `bad --rate '${options.rate}'`, expected: '0.1 to 1000' });
  }
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(options.listen) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new UserError({
      message: `bad --listen '${options.listen}'`,
      expected: '127.0.0.1:9115',
    });
  }
  const asked = options.url ?? plan.profile.url;
  if (asked === undefined) {
    throw new UserError({
      message: 'the prober has no address',
      expected: '--url http://host:port',
    });
  }
  const url = baseOf(targetUrl(asked));
  const stopped = readSwitch(options.state);
  if (stopped) {
    throw new UserError(`the kill switch is thrown (${stopped.reason})`, exitCode.aborted);
  }
  return await probe(plan, { url, rate, host, port: Number(port), state: options.state });
}

async function probe(
  plan: Extract<ReturnType<typeof readLoad>, { kind: 'profile' }>,
  to: { url: string; rate: number; host: string; port: number; state: string },
): Promise<number> {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const metrics = await startClientMetrics(to.host, to.port);
  const load = await startPlan(sentTo(plan, to.url), {
    driver: 'embedded',
    url: to.url,
    rate: to.rate,
  });
  try {
    metrics.follow(
      load.points,
      plan.profile.routes.map((r) => r.name),
    );
    process.stdout.write(`${JSON.stringify({ metrics: metrics.target.url })}\n`);
    while (!abort.signal.aborted) {
      if (load.failure !== undefined) throw new UserError(load.failure, exitCode.environment);
      const switched = readSwitch(to.state);
      if (switched) {
        throw new UserError(`stopped by the kill switch: ${switched.reason}`, exitCode.aborted);
      }
      await sleep(lookPeriodMs, abort.signal);
    }
    return exitCode.ok;
  } finally {
    await Promise.allSettled([load.stop(), metrics.stop()]);
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
