/** `firedrill gameday route`: the route that sends a drill's alerts to the drill and to no other receiver. */
import type { Command } from 'commander';
import { eachWhole } from '../../base/choice-option.js';

interface RouteOptions {
  matcher: string[];
  receiver: string;
  listen: string;
}

export function registerRoute(gameday: Command): void {
  gameday
    .command('route')
    .description(
      'Print the Alertmanager route that sends a drill its alerts and notifies nobody else',
    )
    .option(
      '--matcher <matcher>',
      "matcher of the drilled system's alerts; repeatable",
      eachWhole,
      [],
    )
    .option('--receiver <name>', 'name of the receiver', 'firedrill')
    .option('--listen <host:port>', 'address at which the drill will listen', '127.0.0.1:9099')
    .addHelpText(
      'after',
      `
Put it first in alertmanager.yml, then run with the same --listen. Without it, the drill is judged by Alertmanager's
API, and whoever the routes name is notified as always.

Example:
  firedrill gameday route --matcher 'namespace="staging"' --listen 10.0.0.5:9099`,
    )
    .action(async ({ matcher, receiver, listen }: RouteOptions) => {
      const { drillRouteText } = await import('../../alerts/watch/existing/drill-route.js');
      const { listenAt } = await import('./existing.js');
      listenAt(listen);
      const url = `http://${listen}/webhook`;
      process.stdout.write(drillRouteText({ matchers: matcher, receiver, url }));
    });
}
