/** Alerts that only the default team gets, as an alert with a mistyped owner would. */
import type { Place, Problem } from '../../base/errors.js';
import { compileSlo, readSlos } from '../../slo/index.js';
import { suggest } from '../../base/suggest.js';
import { readRuleFiles } from '../rules/read.js';
import type { Routing } from './declaration.js';

export interface RoutedAlert {
  name: string;
  labels: Readonly<Record<string, string>>;
  place: Place | undefined;
}

/** The alerts in SLO files and rule files. */
export function alertsIn(slos: readonly string[], ruleFiles: readonly string[]): RoutedAlert[] {
  const ofSlos = (slos.length === 0 ? [] : readSlos(slos, { windows: 'any' })).flatMap((slo) =>
    compileSlo(slo)
      .flatMap((group) => group.rules)
      .flatMap((rule) =>
        rule.kind === 'alert' ? [{ name: rule.alert, labels: rule.labels, place: slo.place }] : [],
      ),
  );
  const ofRules = readRuleFiles(ruleFiles)
    .flatMap((group) => group.rules)
    .flatMap(({ rule, place }) =>
      rule.kind === 'alert' ? [{ name: rule.alert, labels: rule.labels, place }] : [],
    );
  return [...ofSlos, ...ofRules];
}

/** One problem for each owner, service and severity that only the default team covers, at its first alert. */
export function unownedProblems(routing: Routing, alerts: readonly RoutedAlert[]): Problem[] {
  const found = new Map<string, { alerts: RoutedAlert[]; expected: string | undefined }>();
  const owners = routing.teams.flatMap((team) => team.owns ?? [team.name]);
  const services = routing.teams.flatMap((team) => team.services);
  const severities = Object.keys(routing.severities);
  const note = (what: string, alert: RoutedAlert, word: string, known: string[]): void => {
    const near = suggest(word, known);
    const entry = found.get(what) ?? { alerts: [], expected: near ?? known.join(', ') };
    entry.alerts.push(alert);
    found.set(what, entry);
  };
  const to = `it goes to the default team, ${routing.default}`;
  for (const alert of alerts) {
    const { owner = '', service = '', severity = '' } = alert.labels;
    // The value of a templated label is only known when the alert fires.
    if (owner !== '' && !owner.includes('{{') && !owners.includes(owner)) {
      note(`no team owns '${owner}': ${to}`, alert, owner, owners);
    }
    if (owner === '' && !service.includes('{{') && !services.includes(service)) {
      const whose =
        service === '' ? 'neither owner nor service' : `no owner and no team for '${service}'`;
      note(`an alert has ${whose}: ${to}`, alert, service, services);
    }
    if (!severity.includes('{{') && !severities.includes(severity)) {
      const least = severities.at(-1) ?? '';
      const what = severity === '' ? 'an alert has no severity' : `no severity '${severity}'`;
      note(`${what} is declared: it is treated as ${least}`, alert, severity, severities);
    }
  }
  return [...found].map(([what, { alerts: list, expected }]) => {
    const names = [...new Set(list.map((a) => a.name))];
    const shown = names.slice(0, 3).join(', ') + (names.length > 3 ? ', ...' : '');
    const place = list[0]?.place;
    return {
      ...(place && { place }),
      message: `${what} (${shown})`,
      ...(expected === undefined || expected === '' ? {} : { expected }),
    };
  });
}
