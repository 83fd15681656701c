/**
 * Escalation without acknowledgements, which Alertmanager does not have: a rule fires if an alert has fired for too
 * long, and its alert is routed to other contacts.
 */
import { formatDurationMs, parseDurationMs } from '../../base/duration.js';
import type { AlertingRule, RuleGroup } from '../../slo/rules/model.js';
import { claimsOf } from './claims.js';
import type { Routing } from './declaration.js';

export const escalationLabel = 'escalation';

/** One rule for each escalation step of a team; empty if no team escalates. */
export function escalationGroups(routing: Routing): RuleGroup[] {
  const [urgent] = Object.keys(routing.severities);
  const rules = routing.teams.flatMap((team) =>
    team.escalate.map((step, i): AlertingRule => {
      const afterMs = parseDurationMs(step.after) as number;
      const parts = claimsOf(team).map((claim) =>
        expressionOf([...claim, `severity="${urgent}"`], afterMs),
      );
      return {
        kind: 'alert',
        alert: 'Escalated',
        expr: parts.join('\nor\n'),
        forMs: 0,
        keepFiringForMs: 0,
        labels: { [escalationLabel]: String(i + 1) },
        annotations: {
          summary:
            '{{ $labels.escalates }}{{ with $labels.service }} of {{ . }}{{ end }} has fired for ' +
            '{{ $value | humanizeDuration }}',
          description:
            `${team.name} was notified, and the alert still fires after ${formatDurationMs(afterMs)}. ` +
            'Alertmanager does not know whether somebody works on it: ask, or look at the pager.',
          ...(routing.runbookBase === undefined
            ? {}
            : {
                runbook_url: `${routing.runbookBase.replace(/\/+$/, '')}/{{ $labels.escalates }}`,
              }),
        },
      };
    }),
  );
  return rules.length === 0 ? [] : [{ name: 'escalation', intervalMs: 30_000, rules }];
}

function expressionOf(matchers: readonly string[], afterMs: number): string {
  const own = [...matchers, `${escalationLabel}=""`].join(',');
  return (
    `label_replace(\n  (time() - ALERTS_FOR_STATE{${own}} > ${afterMs / 1000})\n` +
    `  and ignoring (alertstate)\n  ALERTS{${own},alertstate="firing"},\n` +
    `  "escalates", "$1", "alertname", "(.+)"\n)`
  );
}

/** Limits of this escalation, shown to users who declare one. */
export const escalationLimits: readonly string[] = [
  'Alertmanager has no acknowledgements: a step is taken after its time even if somebody works on the alert. ' +
    'A silence stops it; where acknowledgement matters, escalate in PagerDuty or OpsGenie.',
  'Alertmanager has no rotas: the receivers know who is on call.',
  'The escalation rules must be loaded into Prometheus (escalation-rules.yaml).',
];
