/** The budgets of a week, a month or a quarter as a page in Markdown and in HTML. */
import { achievedText, budgetMinutes, type BudgetState, differenceText } from './state.js';
import { countsEvents } from '../rules/increments.js';
import type { Slo } from '../spec/model.js';
import { type GatePolicy, gateOf } from './gate.js';

export type Routine = 'weekly' | 'monthly' | 'quarterly';

const percent = (share: number, digits = 1): string => `${(share * 100).toFixed(digits)}%`;
const time = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** The remaining budget as text: a share, or how many times it was spent if overspent by more than itself. */
export function remainingText(share: number): string {
  return share >= -1 ? percent(share) : `spent ${(1 - share).toFixed(1)} times over`;
}

/** An amount that is left as text, or by how much it is exceeded. */
export const leftText = (left: number, text: (amount: number) => string): string =>
  left < 0 ? `${text(-left)} too much` : text(left);

/** A spent share as text; a multiple above the whole budget. */
export const spentText = (share: number, digits = 1): string =>
  share > 1 ? `${share.toFixed(1)} times the budget` : `${percent(share, digits)} of the budget`;

/** Minutes as text: `43 min`, `2.1 h`. */
export function minutesText(minutes: number): string {
  const size = Math.abs(minutes);
  if (size >= 120) return `${(minutes / 60).toFixed(1)} h`;
  return size >= 10 ? `${minutes.toFixed(0)} min` : `${minutes.toFixed(1)} min`;
}

/** The group with the least budget left. */
export const worstText = ({ group, remaining }: NonNullable<BudgetState['worst']>): string =>
  `Worst group: ${group}, ${remainingText(remaining)}${remaining >= -1 ? ' of its budget left' : ''}`;

/** One line for each time that does not count, with the share of the budget that its bad events would have spent. */
export function correctionsText({ slo, rolling, corrections }: BudgetState): string[] {
  const allowed = ((100 - slo.objective) / 100) * rolling.total;
  const unit = countsEvents(slo.sli) ? 'events' : 'samples';
  return corrections.map(({ startMs, endMs, kind, reason, bad, total }) => {
    const share = allowed > 0 ? `, ${spentText(bad / allowed)}` : '';
    return (
      `${time(startMs)}, ${minutesText((endMs - startMs) / 60_000)}, ` +
      `${kind === 'drill' ? 'drill' : 'not counted'}: ` +
      `${Math.round(bad)} bad of ${Math.round(total)} ${unit}${share} (${reason})`
    );
  });
}

const eventsText =
  ({ sli }: Slo) =>
  (events: number): string =>
    (Math.abs(events) >= 100 ? Math.round(events).toLocaleString('en') : events.toFixed(1)) +
    (countsEvents(sli) ? '' : ' samples');

/** Days as text; below two days, hours and minutes. */
const daysText = (days: number): string =>
  days >= 2 ? `${days.toFixed(0)} days` : minutesText(days * 24 * 60);

/** The forecast at the rate of the measured days; with fewer than two days there is no range. */
export function forecastText(state: BudgetState): string {
  const { days, perDay, daysSeen } = state.forecast;
  const range =
    daysSeen < 2
      ? ', by one day alone'
      : ` (${spentText(perDay.low, 2)} to ${spentText(perDay.high, 2)})`;
  const pace = `${spentText(perDay.mean, 2)} a day${range}`;
  if (state.rolling.remaining <= 0) return `spent; at ${pace}`;
  if (days.mean === undefined) return 'nothing is being spent';
  const [soonest, latest] = [days.low, days.high].map((d) =>
    d === undefined ? 'never' : daysText(d),
  );
  const until = daysSeen < 2 ? '' : ` (${soonest} to ${latest})`;
  return `${daysText(days.mean)} left${until}, at ${pace}`;
}

/** The agenda of each routine's meeting. */
const agenda: Record<Routine, string[]> = {
  weekly: [
    'Which incident spent the most, and is its cause gone?',
    'Which alert fired without a cause, or fell silent?',
    'Which silences are still in force?',
  ],
  monthly: [
    'Which objectives were missed, and was anybody unhappy? If not, the objective is too strict.',
    'Which budgets were hardly touched? There, risk more or promise more.',
    'Does every SLO have an owner and a runbook?',
  ],
  quarterly: [
    'Do the objectives still say what users need?',
    'Which failure modes had no game day this quarter?',
    'Which SLOs are nobody looking at? Remove them.',
  ],
};

/** The report as Markdown. */
export function reportMarkdown(
  states: readonly BudgetState[],
  routine: Routine,
  policy: GatePolicy,
): string {
  const at = states[0]?.atMs ?? 0;
  const decision = gateOf(states, policy);
  const lines = [
    `# Error budgets, ${routine}`,
    '',
    `As of ${time(at)}.`,
    '',
    decision.open ? 'Releases may go out.' : `**Releases stop:**`,
    ...decision.reasons.map((r) => `- ${r}`),
    '',
    '| SLO | objective | achieved | budget left | as events | as time | this month |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...states.map(({ slo, rolling, month }) => {
      const cells = [
        slo.id,
        `${slo.objective}% in ${slo.period.calendar ?? `${slo.period.days} d`}`,
        achievedText(rolling),
        remainingText(rolling.remaining),
        leftText(rolling.remainingEvents, eventsText(slo)),
        leftText(rolling.remainingMinutes, minutesText),
        remainingText(month.remaining),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
    '',
  ];
  for (const state of states) lines.push(...detail(state));
  lines.push(`## For the ${routine} review`, '', ...agenda[routine].map((q) => `- [ ] ${q}`), '');
  return lines.join('\n');
}

function detail(state: BudgetState): string[] {
  const { slo, incidents } = state;
  const rows = incidents.slice(0, 10).map((i) => {
    const cells = [
      time(i.startMs),
      minutesText((i.endMs - i.startMs) / 60_000),
      eventsText(slo)(i.bad),
      spentText(i.spent),
      `${i.peakBurn.toFixed(1)}x`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    `## ${slo.id}`,
    '',
    ...(slo.description ? [slo.description, ''] : []),
    `Owner: ${slo.owner ?? slo.labels.owner ?? 'nobody'}. The budget of a whole period is ` +
      `${minutesText(budgetMinutes(slo))} of complete failure. Forecast: ${forecastText(state)}.`,
    '',
    differenceText(state),
    '',
    ...(state.worst ? [`${worstText(state.worst)}.`, ''] : []),
    ...correctionsText(state).map((line) => `- ${line}`),
    ...(state.corrections.length > 0 ? [''] : []),
    ...(rows.length === 0
      ? ['No incident.', '']
      : [
          '| incident | lasted | bad events | spent | peak burn |',
          '| --- | ---: | ---: | ---: | ---: |',
          ...rows,
          '',
        ]),
  ];
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A line of the budget that remained over the period. */
function burnDown(state: BudgetState): string {
  const budget = (100 - state.slo.objective) / 100;
  const allowed = budget * state.rolling.total;
  const { startMs, endMs } = state.rolling;
  let left = 1;
  const points = state.buckets.map((bucket) => {
    left -= allowed > 0 ? bucket.bad / allowed : 0;
    const x = ((bucket.endMs - startMs) / (endMs - startMs)) * 600;
    return `${x.toFixed(1)},${(10 + (1 - Math.max(-0.2, left)) * 90).toFixed(1)}`;
  });
  return (
    `<svg viewBox="0 0 600 120" role="img" aria-label="error budget of ${escape(state.slo.id)}">` +
    '<line x1="0" y1="100" x2="600" y2="100" stroke="#c33" stroke-dasharray="4"/>' +
    `<polyline fill="none" stroke="#268" stroke-width="2" points="0,10 ${points.join(' ')}"/></svg>`
  );
}

/** The report as one HTML page without external resources, with the burn-down of each budget. */
export function reportHtml(
  states: readonly BudgetState[],
  routine: Routine,
  policy: GatePolicy,
): string {
  const plots = states.map(
    (s) => `<figure><figcaption>${escape(s.slo.id)}</figcaption>${burnDown(s)}</figure>`,
  );
  const style =
    'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
    'table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.3rem .6rem}' +
    'figure{margin:1rem 0}svg{width:100%;background:#f7f7f7}';
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Error budgets, ${routine}</title>` +
    `<style>${style}</style>${markdownToHtml(reportMarkdown(states, routine, policy))}` +
    `${plots.join('')}</html>\n`
  );
}

/** Converts the few forms of Markdown that the report uses. */
function markdownToHtml(markdown: string): string {
  const bold = (text: string): string =>
    escape(text).replaceAll(/\*\*(.+?)\*\*/g, '<strong>$1</strong>');
  const blocks = markdown.split('\n\n').filter((b) => b.trim() !== '');
  return blocks
    .map((block) => {
      const lines = block.split('\n').filter((l) => l !== '');
      const heading = /^(#+) (.*)$/.exec(lines[0] ?? '');
      if (heading)
        return `<h${heading[1]?.length}>${bold(heading[2] ?? '')}</h${heading[1]?.length}>`;
      if (lines[0]?.startsWith('|')) return table(lines, bold);
      const items = lines.filter((l) => l.startsWith('- '));
      if (items.length === 0) return `<p>${bold(block)}</p>`;
      const lead = lines.filter((l) => !l.startsWith('- ')).join(' ');
      const list = items.map((l) => `<li>${bold(l.replace(/^- (\[ \] )?/, ''))}</li>`).join('');
      return `${lead === '' ? '' : `<p>${bold(lead)}</p>`}<ul>${list}</ul>`;
    })
    .join('\n');
}

function table(lines: string[], text: (cell: string) => string): string {
  const cells = (line: string): string[] =>
    line
      .slice(1, -1)
      .split('|')
      .map((c) => text(c.trim()));
  const row = (line: string, tag: string): string =>
    `<tr>${cells(line)
      .map((c) => `<${tag}>${c}</${tag}>`)
      .join('')}</tr>`;
  const [head, , ...rest] = lines;
  return `<table>${row(head ?? '', 'th')}${rest.map((l) => row(l, 'td')).join('')}</table>`;
}
