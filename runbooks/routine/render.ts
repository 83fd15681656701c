/** The page of a review: the period's figures, the notable findings, and the decisions to take. */
import { alertNames } from '../../alerts/library/names.js';
import { markdownCode, markdownText as t } from '../markdown.js';
import { wakes } from '../pager.js';
import type { GameDayResult } from '../report/result.js';
import { countText, instantText, plural, timeText } from '../words.js';
import { type AlertHistory, type RoutineFacts, routineDays, type Silence } from './model.js';

const dayMs = 86_400_000;

/** More pages in a week are noise to the person on call (the SRE book's limit is two incidents a shift). */
const pagesPerWeekMax = 14;
/** An alert that ends before anybody could act did not need a person. */
const tooShortMs = 5 * 60_000;
/** A longer silence hides more than a planned maintenance. */
const silenceMaxMs = 7 * dayMs;

const modes = ['F1', 'F2', 'F3', 'F4', 'F5', 'F6', 'F7'] as const;

export function routineReport(facts: RoutineFacts): string {
  const { routine, atMs } = facts;
  const days = routineDays[routine];
  const title = `${(routine[0] as string).toUpperCase()}${routine.slice(1)} review`;
  const from = instantText(atMs - days * dayMs).slice(0, 10);
  const parts = [
    `# ${title}, ${from} to ${instantText(atMs).slice(0, 10)}`,
    `## What stands out\n\n${standsOut(facts)}`,
    `## Alerts\n\n${alertsPart(facts)}`,
    `## Silences\n\n${silencesPart(facts)}`,
    `## Game days\n\n${gameDaysPart(facts)}`,
    facts.budgets === undefined
      ? '## Error budgets\n\nNo SLO was given (`-i`).'
      : `## Error budgets\n\n${facts.budgets.replaceAll(/^(#+) /gm, '#$1 ').trim()}`,
    `## To decide\n\n${agenda[routine].map((q) => `- [ ] ${q}`).join('\n')}`,
  ];
  return `${parts.join('\n\n')}\n`;
}

const agenda: Record<RoutineFacts['routine'], readonly string[]> = {
  weekly: [
    'Each page of the week: was there something to do? If not, what changes before the next?',
    'Each silence: does somebody still work on it?',
    'Who holds the next game day, on which failure mode?',
  ],
  monthly: [
    'Which ticket alerts has nobody acted on? Remove them, or say why not.',
    'Which action of a postmortem is past its date?',
    'Which runbook was used, and what was missing in it?',
  ],
  quarterly: [
    'Which failure modes had no game day, and is that a decision?',
    'Which pages were never proven, by an incident or by a drill?',
    'Do owners, routes and escalations still name people who are there?',
    'Was the trust anchor rolled over once, as an exercise?',
  ],
};

const firingMs = (a: AlertHistory): number =>
  a.firings.reduce((sum, f) => sum + f.endMs - f.startMs, 0);
const short = (a: AlertHistory): number =>
  a.firings.filter((f) => f.endMs - f.startMs < tooShortMs).length;

function standsOut(facts: RoutineFacts): string {
  const { alerts, silences, gameDays } = facts;
  if (!alerts && !silences && !gameDays) {
    return 'Nothing was asked (`--prometheus`, `--alertmanager`, `--game-days`).';
  }
  const lines: string[] = [];
  const days = routineDays[facts.routine];
  const daysSeen = Math.min(facts.daysSeen ?? days, days);
  const weeks = daysSeen / 7;
  const pages = (alerts ?? []).filter((a) => wakes(a.severity));
  const count = pages.reduce((sum, a) => sum + a.firings.length, 0);
  if (alerts && daysSeen < days * 0.95) lines.push(`${gap(daysSeen, days)}.`);
  if (alerts && daysSeen > 0) {
    lines.push(`${plural(count, 'page')}, ${(count / weeks).toFixed(1)} a week.`);
    if (count / weeks > pagesPerWeekMax) {
      lines.push(`More than ${pagesPerWeekMax} pages a week: nobody can look into each.`);
    }
    const noisy = pages.filter((a) => a.firings.length >= 3 && short(a) * 2 > a.firings.length);
    for (const a of noisy) {
      lines.push(
        `${t(a.name)} was over within ${timeText(tooShortMs)} in ${short(a)} of ${a.firings.length} times: ` +
          'it wakes people for what ends by itself.',
      );
    }
  }
  for (const s of silences ?? []) {
    if (s.endMs > facts.atMs && s.endMs - s.startMs > silenceMaxMs) {
      lines.push(
        `A silence of ${timeText(s.endMs - s.startMs)} is in force: \`${markdownCode(s.matchers)}\`.`,
      );
    }
  }
  const bad = (gameDays ?? []).filter((g) => g.verdict !== 'PASS');
  if (bad.length > 0) lines.push(`${plural(bad.length, 'game day')} did not pass.`);
  if (gameDays?.length === 0) lines.push('No game day was held.');
  return lines.length === 0 ? 'Nothing.' : lines.map((l) => `- ${l}`).join('\n');
}

const gap = (daysSeen: number, days: number): string =>
  daysSeen === 0
    ? 'Prometheus scraped nothing (`up`) in this time: whether an alert fired is not known'
    : `Prometheus has data (\`up\`) of ${daysSeen.toFixed(1)} of the ${days} days: the figures are of these alone`;

function alertsPart({ alerts, daysSeen }: RoutineFacts): string {
  if (!alerts) return 'No Prometheus was asked (`--prometheus`).';
  if (alerts.length === 0 && daysSeen === 0) return `${gap(0, 0)}.`;
  if (alerts.length === 0) return 'None fired.';
  const order = (a: AlertHistory): number => (wakes(a.severity) ? 0 : 1);
  const rows = alerts
    .toSorted((a, b) => order(a) - order(b) || b.firings.length - a.firings.length)
    .slice(0, 50)
    .map((a) => {
      const longest = Math.max(0, ...a.firings.map((f) => f.endMs - f.startMs));
      const cells = [
        t(a.name),
        t(a.severity),
        t(a.service),
        String(a.firings.length),
        String(short(a)),
        timeText(firingMs(a)),
        timeText(longest),
      ];
      return `| ${cells.join(' | ')} |`;
    });
  return (
    `| alert | severity | service | firings | over within ${timeText(tooShortMs)} | in all | longest |\n` +
    `| --- | --- | --- | ---: | ---: | ---: | ---: |\n${rows.join('\n')}`
  );
}

function silencesPart({ silences, atMs }: RoutineFacts): string {
  if (!silences) return 'No Alertmanager was asked (`--alertmanager`).';
  if (silences.length === 0) return 'None is in force, and none ended in this time.';
  const state = (s: Silence): string =>
    s.endMs <= atMs ? 'ended' : s.startMs > atMs ? 'to come' : 'in force';
  const rows = silences
    .toSorted((a, b) => b.endMs - a.endMs)
    .slice(0, 50)
    .map((s) => {
      const cells = [
        `\`${markdownCode(s.matchers)}\``,
        t(s.by),
        t(s.comment),
        instantText(s.startMs).slice(0, 16),
        instantText(s.endMs).slice(0, 16),
        state(s),
      ];
      return `| ${cells.join(' | ')} |`;
    });
  return (
    '| silenced | by | why | from (UTC) | until (UTC) | state |\n' +
    `| --- | --- | --- | --- | --- | --- |\n${rows.join('\n')}`
  );
}

/** If no fault took effect, nothing was tested. */
const wasJudged = (s: GameDayResult['scenarios'][number]): boolean =>
  s.faults.some((f) => f.confirmedAt !== null) || s.expectedAlerts.some((a) => a.inTime);

function gameDaysPart({ gameDays, routine }: RoutineFacts): string {
  if (!gameDays) return 'No reports were given (`--game-days`).';
  const rows = gameDays.map((g) => {
    const all = g.scenarios.filter(wasJudged).flatMap((s) => s.expectedAlerts);
    const other = g.scenarios.filter((s) => !wasJudged(s)).map((s) => t(s.id));
    const missed = all.filter((a) => !a.inTime).map((a) => t(a.name));
    const cells = [
      g.startedAt.slice(0, 16).replace('T', ' '),
      g.scenarios.map((s) => t(s.id)).join(', '),
      g.verdict,
      `${all.length - missed.length} of ${countText(all.length)}`,
      [
        ...(missed.length === 0 ? [] : [`late or missing: ${[...new Set(missed)].join(', ')}`]),
        ...(other.length === 0 ? [] : [`without effect, not judged: ${other.join(', ')}`]),
      ].join('; '),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const table =
    rows.length === 0
      ? 'None in this time.'
      : '| when (UTC) | scenarios | verdict | alerts in time | |\n' +
        `| --- | --- | --- | ---: | --- |\n${rows.join('\n')}`;
  const covered = new Set(
    gameDays.flatMap((g) => g.scenarios.filter(wasJudged).map((s) => s.failureMode)),
  );
  const open = modes.filter((m) => !covered.has(m));
  const drills =
    open.length === 0
      ? 'Every failure mode was drilled.'
      : `Not drilled in this time: ${open.join(', ')}.`;
  return [table, drills, ...(routine === 'quarterly' ? [unproven(gameDays)] : [])].join('\n\n');
}

/** Paging alerts of the library that no game day has seen fire. */
function unproven(gameDays: readonly GameDayResult[]): string {
  const seen = new Set(
    gameDays.flatMap((g) =>
      g.scenarios.flatMap((s) => s.expectedAlerts.filter((a) => a.inTime).map((a) => a.name)),
    ),
  );
  const pages = Object.entries(alertNames).filter(([, a]) => a.severity === 'page');
  const missing = pages.map(([name]) => name).filter((name) => !seen.has(name));
  return missing.length === 0
    ? 'Every page of the library fired in time in some game day.'
    : `Pages that no game day of this time has seen fire in time (${missing.length} of ` +
        `${pages.length}): ${missing.join(', ')}.`;
}
