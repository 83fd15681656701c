/** Explains a decision: who is notified, by which route, and why others are not. */
import type { AlertLabels } from './matchers.js';
import type { Decision, Delivery } from './evaluate.js';

export const labelText = (labels: AlertLabels): string =>
  `{${Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(', ')}}`;

export function explainDecision(decision: Decision, at: string): string {
  const { labels, inhibited, silenced, deliveries, told } = decision;
  const lines = [`${labelText(labels)} at ${at}`];
  lines.push(told.length > 0 ? `notifies ${told.join(', ')}` : 'notifies nobody');
  if (inhibited) {
    const equal = inhibited.equal.length > 0 ? `, with the same ${inhibited.equal.join(', ')}` : '';
    lines.push(
      `  inhibited by ${labelText(inhibited.by)}: inhibit rule ${inhibited.rule} (${inhibited.source}${equal})`,
    );
  }
  if (silenced) {
    lines.push(
      `  silenced until ${silenced.endsAt} by ${silenced.createdBy}: ${silenced.comment} (${silenced.id})`,
    );
  }
  for (const delivery of deliveries) lines.push(...explainDelivery(delivery));
  return `${lines.join('\n')}\n`;
}

function explainDelivery(d: Delivery): string[] {
  const path = d.path.map((p) => (p.position === 0 ? p.text : `route ${p.position} (${p.text})`));
  return [
    `  ${d.receiver}: ${path.join(' > ')}`,
    `    group_wait ${d.groupWait}, group_interval ${d.groupInterval}, repeat_interval ` +
      `${d.repeatInterval}; grouped by ${labelText(d.groupLabels)}`,
    ...(d.mutedBy === undefined ? [] : [`    muted now: ${d.mutedBy}`]),
  ];
}
