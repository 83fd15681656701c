/** The conditions of the measurement, so that a reader can trust or repeat it. */
import type { GameDayRecord } from '../record.js';
import { countText, plural, timeText } from '../words.js';
import { type Html, markup } from '../../base/drawing/html.js';

export function howMeasured(record: GameDayRecord): Html {
  const rows = howRows(record).map(([name, text]) => markup`<dt>${name}</dt><dd>${text}</dd>`);
  return markup`<dl class="how">${rows}</dl>`;
}

/** Also used as a table of the postmortem. */
export function howRows(record: GameDayRecord): [string, string][] {
  const { measurement: m, load, timeScale, system, machine } = record;
  const why = m.why === undefined ? '' : ` (${m.why})`;
  const embedded = `the embedded scraper and rule evaluator${why}, with the same rule files`;
  const real =
    `Prometheus ${m.prometheusVersion ?? ''} and Alertmanager ${m.alertmanagerVersion ?? ''}, ` +
    `${m.judgedAt === undefined ? 'real processes' : `that run already${why}`}`;
  const scaled =
    `${timeScale.text}: windows, intervals and for are multiplied by it (an hour is ` +
    `${timeText(timeScale.hourMs)}), the rules are otherwise the same`;
  const driver = load.kind === 'k6' ? `k6 ${load.version ?? ''}` : 'embedded driver';
  const services = system.services.map(
    (s) => `${s.name}${s.replicas > 1 ? ` (${s.replicas})` : ''}`,
  );
  return [
    [
      'Time scale',
      (timeScale.factor === 1 ? 'none: windows as in production' : scaled) +
        (timeScale.why === undefined ? '' : ` (${timeScale.why})`),
    ],
    ...remarkRows(record),
    ['Rules evaluated by', m.kind === 'prometheus' ? real.replaceAll(/ {2,}/g, ' ') : embedded],
    [
      'Scraped',
      `every ${timeText(m.scrapeIntervalMs)}; rules that page are evaluated every ` +
        timeText(m.evaluationIntervalMs),
    ],
    [
      'Judged',
      `${m.judgedAt ?? 'where a pager would be: at the receiver'}. Pending is not firing. ` +
        toldText(m.toldBesides) +
        `${timeText(m.deliveryAllowanceMs)} of each deadline is for grouping and delivery, ` +
        'which no time scale shortens',
    ],
    [
      'Load',
      `${driver}, open model, ${countText(load.requestsPerSecond)} requests a second, latency from ` +
        `the ${load.measuredFrom}; ${countText(load.dropped)} due and not begun`,
    ],
    ['System', `${system.name}: ${services.join(', ')}${meshText(record)}`],
    [
      'Machine',
      `${machine.platform}, ${machine.cpus} CPUs, ${(machine.memoryBytes / 1e9).toFixed(1)} GB, ` +
        `node ${machine.node}`,
    ],
    ['Command', record.command],
  ];
}

/** Names the production receivers that were notified; there are none if the drill's route took everything. */
function toldText(besides: readonly string[] | undefined): string {
  if (besides === undefined || besides.length === 0) return '';
  return `Also routed to: ${besides.join(', ')}. `;
}

/** Of hundreds of rules, the first ones are enough to show the kind of difference. */
const remarksMax = 12;

function remarkRows({ remarks = [] }: GameDayRecord): [string, string][] {
  const left = remarks.length - remarksMax;
  const shown = remarks
    .slice(0, remarksMax)
    .map((r): [string, string] => ['Not as in production', r]);
  return left > 0 ? [...shown, ['Not as in production', `and ${left} more`]] : shown;
}

function meshText({ system }: GameDayRecord): string {
  const proxies = system.processes.filter((p) => p.kind === 'proxy').length;
  if (proxies === 0) return '';
  const { certificateLifetimeMs } = system;
  const mutual =
    certificateLifetimeMs === undefined
      ? ', without TLS'
      : `; certificates of ${timeText(certificateLifetimeMs)}`;
  return `, with ${plural(proxies, 'sidecar proxy', 'sidecar proxies')}${mutual}`;
}
