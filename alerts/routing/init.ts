/** Writes a first declaration from the owners, services and severities in SLOs and rules. */
import { stringify } from 'yaml';
import { exitCode, UserError } from '../../base/errors.js';
import { writeAll } from '../../slo/rules/write-files.js';
import { readRoutingText } from './declaration.js';
import { alertsIn, type RoutedAlert } from './unowned.js';

export interface InitFlags {
  slos: string[];
  rules: string[];
  out: string;
}

/** Throws a UserError if there are no alerts, or none has an owner. */
export function initRoutes({ slos, rules, out }: InitFlags): void {
  const alerts = alertsIn(slos, rules);
  if (alerts.length === 0) {
    throw new UserError({ message: 'no alert to route', expected: '-i SLOS or --rules FILES' });
  }
  const text = declarationOf(alerts);
  // Reads the text before it is written, so that an invalid declaration shows up here and not at its user.
  readRoutingText(out, text);
  writeAll(out, true, new Map([['routing', text]]));
}

const secrets = '/etc/alertmanager/secrets';
const header = `# Receivers of each team. Put your own contacts in; each secret is a file that Alertmanager reads.
#   firedrill alerts routes generate -f routing.yaml -o out/ --validate
`;

/** Severities with the most urgent first; unknown severities come last. */
const usual = ['page', 'critical', 'ticket', 'warning'];
const isUrgent = (severity: string): boolean => /^(page|critical)$/.test(severity);

export function declarationOf(alerts: readonly RoutedAlert[]): string {
  const values = (label: string, of: readonly RoutedAlert[] = alerts): string[] =>
    [...new Set(of.map((a) => a.labels[label] ?? ''))]
      .filter((v) => v !== '' && !v.includes('{{'))
      .sort();
  const owners = values('owner');
  const [first] = owners;
  if (first === undefined) {
    const expected = 'the label owner on at least one, or owner: in an SLO file';
    throw new UserError({ message: 'no alert has an owner', expected }, exitCode.usage);
  }
  const found = values('severity');
  const severities = [
    ...usual.filter((s) => found.includes(s)),
    ...found.filter((s) => !usual.includes(s)),
  ];
  const unowned = alerts.filter((a) => (a.labels.owner ?? '') === '');
  const services = values('service', unowned);
  const named = (severity: string) =>
    isUrgent(severity)
      ? { wait: '30s', cooldown: '5m', repeat: '1h' }
      : { wait: '5m', cooldown: '1h', repeat: '3d' };
  const contact = (team: string, severity: string) =>
    isUrgent(severity)
      ? { pagerduty: { routingKeyFile: `${secrets}/${team}-pagerduty` } }
      : { slack: { apiUrlFile: `${secrets}/slack`, channel: `#${team}` } };
  const teams = owners.map((name) => ({
    name,
    ...(name === first && services.length > 0 ? { services } : {}),
    notify: Object.fromEntries(severities.map((s) => [s, [contact(name, s)]])),
  }));
  return `${header}${stringify(
    {
      apiVersion: 'firedrill.dev/v1',
      kind: 'AlertRouting',
      groupBy: ['service'],
      default: first,
      severities: Object.fromEntries(severities.map((s) => [s, named(s)])),
      teams,
    },
    { lineWidth: 0 },
  )}`;
}
