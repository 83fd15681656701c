/** `firedrill profile --for` taps a service's callers for a while, and learns the routes from their requests. */
import { parseDurationMs } from '../../../base/duration.js';
import { exitCode, UserError } from '../../../base/errors.js';
import { counted } from '../../../base/terminal.js';
import { follow } from '../observe/tap-command.js';
import { reasonOf, someTargets, type TargetOptions } from '../observe/targets.js';
import { type LearntRoute, RouteLearner, TapReader } from './learn.js';

/** The limit for each proxy: enough requests to learn from, and too few to slow the proxy. */
const maxPerSecond = 500;

/** Learns routes as outbound proxies see them; progress goes to standard error. Throws if no request was seen. */
export async function learnRoutes(
  service: string,
  duration: string,
  options: TargetOptions,
): Promise<LearntRoute[]> {
  const ms = parseDurationMs(duration);
  if (ms === undefined || ms < 100 || ms > 600_000) {
    throw new UserError({ message: `--for ${duration}`, expected: 'a duration of at most 10m' });
  }
  const targets = await someTargets(options);
  const learner = new RouteLearner();
  process.stderr.write(`watching ${counted(targets.length, 'proxy', 'proxies')} for ${duration}\n`);
  const scope = {
    direction: 'outbound',
    destination: service,
    maxPerSecond,
    seconds: ms / 1000,
    output: 'json',
  };
  await Promise.all(
    targets.map((target) => {
      const reader = new TapReader(learner);
      return follow(target.address, scope, (lines) => {
        for (const line of lines.split('\n')) reader.line(line);
      }).catch((error: unknown) => {
        process.stderr.write(`${target.name}: ${reasonOf(target, error)}\n`);
      });
    }),
  );
  const routes = learner.routes();
  if (routes.length === 0) {
    throw new UserError(
      {
        message: `no request to ${service} was seen in ${duration}`,
        expected: 'traffic while it learns; proxies of its callers (--proxies, or the cluster)',
      },
      exitCode.failed,
    );
  }
  for (const { route, requests } of routes) {
    process.stderr.write(`${requests} × ${route.name}\n`);
  }
  process.stderr.write('A draft: routes that were not called are not in it, so read it first.\n');
  return routes;
}
