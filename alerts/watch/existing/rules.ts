/** The rules that a Prometheus has loaded, from its API. */
import type { Access } from '../../../base/access.js';
import { fetchWith } from '../../../base/access.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import type { Rule, RuleGroup } from '../../../slo/rules/model.js';
import { getJson } from '../prometheus-api.js';

interface SaidRule {
  type: string;
  name: string;
  query: string;
  /** Seconds, like the next two. */
  duration?: number;
  keepFiringFor?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

interface SaidGroup {
  name: string;
  interval: number;
  rules: SaidRule[];
}

/** Throws a UserError if Prometheus does not answer. */
export async function loadedRules(access: Access): Promise<RuleGroup[]> {
  let groups: SaidGroup[];
  try {
    const answer = await getJson(`${access.url}/api/v1/rules`, fetchWith(access));
    groups = (answer as { data: { groups: SaidGroup[] } }).data.groups;
  } catch (error) {
    const cause = error instanceof Error && error.cause ? error.cause : error;
    throw new UserError(
      `the Prometheus at ${access.url} does not return its rules: ${messageOf(cause)}`,
      exitCode.environment,
    );
  }
  return groups.map(({ name, interval, rules }) => ({
    name,
    intervalMs: Math.round(interval * 1000),
    rules: rules.map(ruleOf),
  }));
}

function ruleOf(said: SaidRule): Rule {
  const { labels = {}, annotations = {}, query: expr } = said;
  if (said.type === 'recording') return { kind: 'record', record: said.name, expr, labels };
  return {
    kind: 'alert',
    alert: said.name,
    expr,
    forMs: Math.round((said.duration ?? 0) * 1000),
    keepFiringForMs: Math.round((said.keepFiringFor ?? 0) * 1000),
    labels,
    annotations,
  };
}

/** The default scrape and evaluation intervals in its configuration, in milliseconds. */
export async function intervalsOf(
  access: Access,
): Promise<{ scrapeIntervalMs: number; evaluationIntervalMs: number }> {
  const usual = { scrapeIntervalMs: 15_000, evaluationIntervalMs: 15_000 };
  const answer = await getJson(`${access.url}/api/v1/status/config`, fetchWith(access)).catch(
    () => undefined,
  );
  const text = (answer as { data?: { yaml?: string } } | undefined)?.data?.yaml ?? '';
  const secondsOf = (field: string): number | undefined => {
    const [, amount, unit] = new RegExp(`^ {2}${field}: (\\d+)(ms|s|m)$`, 'm').exec(text) ?? [];
    if (amount === undefined) return undefined;
    return Number(amount) * (unit === 'ms' ? 1 : unit === 's' ? 1000 : 60_000);
  };
  return {
    scrapeIntervalMs: secondsOf('scrape_interval') ?? usual.scrapeIntervalMs,
    evaluationIntervalMs: secondsOf('evaluation_interval') ?? usual.evaluationIntervalMs,
  };
}
