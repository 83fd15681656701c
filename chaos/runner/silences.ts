/** Gathers the inputs for silent failures: the client's points, the SLOs' counts, the callers' proxies. */
import type { Watch } from '../../alerts/watch/index.js';
import { formatDurationMs } from '../../base/duration.js';
import { wakes } from '../../runbooks/pager.js';
import type { Firing, SilenceRecord } from '../../runbooks/record.js';
import { sloNames } from '../../slo/index.js';
import type { ScenarioRun } from './run-scenario.js';
import { silencesIn } from './silence.js';

/** Nominal milliseconds: the shortest default window of paging rules. */
const toleratedNominalMs = 600_000;
const bound = 0.05;

export async function silencesOf(
  run: ScenarioRun,
  firings: readonly Firing[],
): Promise<SilenceRecord[]> {
  const { injectedMs } = run;
  if (injectedMs === undefined) return [];
  const { timing, watch, slos } = run.context;
  const fromMs = injectedMs;
  const ends = run.phases.filter((p) => p.kind === 'fault').map((p) => p.endMs);
  const untilMs = Math.max(fromMs, ...ends);
  const fresh = firings.filter((f) => f.receivedAtMs >= fromMs);
  const facts = {
    points: run.sources.points.all(),
    fromMs,
    untilMs,
    toleratedMs: toleratedNominalMs * timing.timeScale + timing.allowanceMs,
    pagedAtMs: fresh.filter((f) => wakes(f.severity)).map((f) => f.receivedAtMs),
    toldAtMs: fresh.map((f) => f.receivedAtMs),
    fired: run.sightings.all
      .filter((s) => wakes(s.labels.severity ?? 'none') && (s.firingAtMs ?? 0) >= fromMs)
      .map((s) => s.labels.alertname ?? ''),
    slos: [],
    seen: [],
  };
  // The rules are only asked if there is a silent stretch to explain.
  if (silencesIn(facts).length === 0) return [];
  const counts = slos.map(async (slo) => {
    const sum = async (series: string): Promise<number> => {
      const range = formatDurationMs(Math.max(1, Math.round(untilMs - fromMs)));
      const expr = `sum(sum_over_time(${series}{${sloNames.sloLabel}="${slo.id}"}[${range}]))`;
      return (await watch.query(expr, untilMs))[0]?.value ?? 0;
    };
    try {
      const bad = await sum(sloNames.badIncrease(timing.stepMs));
      return [{ slo: slo.id, bad, total: await sum(sloNames.totalIncrease(timing.stepMs)) }];
    } catch {
      // Nobody knows whether it had events.
      return [];
    }
  });
  const stepMs = Math.max(timing.scrapeIntervalMs, timing.evaluationIntervalMs);
  return silencesIn({
    ...facts,
    slos: (await Promise.all(counts)).flat(),
    seen: await callersSaw(watch, { fromMs, untilMs, stepMs, scrapeMs: timing.scrapeIntervalMs }),
  });
}

/**
 * Failures in the counts of the callers' own proxies, and the first time when a rule on them would have been true;
 * undefined if they could not be asked for.
 */
async function callersSaw(
  watch: Watch,
  t: { fromMs: number; untilMs: number; stepMs: number; scrapeMs: number },
): Promise<{ expr: string; firstTrueMs: number }[] | undefined> {
  const window = formatDurationMs(4 * t.scrapeMs);
  const rate = (more: string): string =>
    `sum by (dst) (rate(response_total{direction="outbound"${more}}[${window}]))`;
  const expr = `${rate(',classification="failure"')} / ${rate('')} > ${bound}`;
  const found = await watch.queryRange(expr, t.fromMs, t.untilMs, t.stepMs).catch(() => undefined);
  return found?.flatMap(({ labels, points }) => {
    const [first] = points;
    const dst = labels.dst;
    if (!first || dst === undefined) return [];
    const own = `{direction="outbound",dst="${dst}"`;
    return [
      {
        expr:
          `sum(rate(response_total${own},classification="failure"}[1m])) / ` +
          `sum(rate(response_total${own}}[1m])) > ${bound}`,
        firstTrueMs: first[0],
      },
    ];
  });
}
