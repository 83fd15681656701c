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
            `${team.name} was told and it still fires after ${formatDurationMs(afterMs)}. ` +
            'Whether somebody works on it is not known here: ask, or look at the pager.',
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
  'Alertmanager knows no acknowledgement: a step is taken after the time even where somebody works on it. ' +
    'A silence stops it; where acknowledgement matters, escalate in PagerDuty or OpsGenie.',
  'It knows no rota: who is on call is for the receivers to know.',
  'The rules for it must be loaded into Prometheus (escalation-rules.yaml).',
];
