/** The groups of commands in `firedrill --help` and their order, by a user's intention. */
import type { Command } from 'commander';

const groups: readonly (readonly [string, readonly string[]])[] = [
  ['Start here:', ['init', 'gameday', 'slo', 'console', 'doctor', 'tools', 'completion']],
  ['SLOs and dashboards:', ['dashboards', 'promql']],
  ['Alerts:', ['alerts', 'watch', 'drift']],
  ['Game days:', ['load', 'relay']],
  ['Incidents:', ['runbook', 'postmortem', 'routine']],
  [
    'The mesh, to operate:',
    [
      'install',
      'upgrade',
      'uninstall',
      'collector',
      'inject',
      'uninject',
      'check',
      'canary',
      'policy',
      'profile',
      'identity',
    ],
  ],
  [
    'The mesh, to look at:',
    [
      'stat',
      'routes',
      'top',
      'edges',
      'tap',
      'why',
      'compliance',
      'diagnostics',
      'readiness',
      'simulate',
      'mesh',
      'version',
    ],
  ],
  ['The mesh, its programs:', ['proxy', 'controller']],
];

/** Commands that only other programs start; help does not show them. */
const internal: ReadonlySet<string> = new Set([
  'injector',
  'redirector',
  'proxy-init',
  '__complete',
]);

/** Commands outside of the groups come last, under their own heading. */
export function inGroups(program: Command): void {
  const order = groups.flatMap(([, names]) => names);
  for (const command of program.commands) {
    const own = groups.find(([, names]) => names.includes(command.name()));
    command.helpGroup(own?.[0] ?? 'Other:');
  }
  const rank = (command: Command): number =>
    order.includes(command.name()) ? order.indexOf(command.name()) : order.length;
  // Commander shows groups in the order of their first commands.
  (program.commands as Command[]).sort((a, b) => rank(a) - rank(b));
  program.configureHelp({
    visibleCommands: ({ commands }) => commands.filter((c) => !internal.has(c.name())),
  });
}
