/** `firedrill gameday route`: the route by which a drill's alerts reach the drill and nobody else. */
import type { Command } from 'commander';

interface RouteOptions {
  matcher: string[];
  receiver: string;
  listen: string;
}

const collect = (value: string, all: string[]): string[] => [...all, value];

export function registerRoute(gameday: Command): void {
  gameday
    .command('route')
    .description(
      'print the Alertmanager route by which a drill is told of its alerts, and nobody is woken',
    )
    .option('--matcher <matcher>', 'of the alerts of what is drilled; repeatable', collect, [])
    .option('--receiver <name>', 'of the receiver', 'firedrill')
    .option('--listen <host:port>', 'where the drill will listen', '127.0.0.1:9099')
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
