/** The rules that a Prometheus has loaded, from its API. */
import * as z from 'zod';
import type { Access } from '../../../base/access.js';
import { fetchWith } from '../../../base/access.js';
import { exitCode, UserError, whyUnanswered } from '../../../base/errors.js';
import { wordsOf } from '../../../base/yaml.js';
import type { Rule, RuleGroup } from '../../../slo/rules/model.js';
import { getJson } from '../prometheus-api.js';

const seconds = z.number().optional();
const texts = z.record(z.string(), z.string()).optional();
const saidRule = z.object({
  type: z.string(),
  name: z.string(),
  query: z.string(),
  duration: seconds,
  keepFiringFor: seconds,
  labels: texts,
  annotations: texts,
});
const said = z.object({
  data: z.object({
    groups: z.array(z.object({ name: z.string(), interval: z.number(), rules: z.array(saidRule) })),
  }),
});

/** Throws a UserError if Prometheus does not answer. */
export async function loadedRules(access: Access): Promise<RuleGroup[]> {
  let groups: z.infer<typeof said>['data']['groups'];
  try {
    const answer = said.safeParse(await getJson(`${access.url}/api/v1/rules`, fetchWith(access)));
    const [wrong] = answer.error?.issues ?? [];
    if (wrong) throw new Error(`${wrong.path.join('.')}: ${wordsOf(wrong)}`);
    if (!answer.success) throw new Error('not its rules');
    ({ groups } = answer.data.data);
  } catch (error) {
    throw new UserError(
      `the Prometheus at ${access.url} does not return its rules: ${whyUnanswered(error)}`,
      exitCode.environment,
    );
  }
  return groups.map(({ name, interval, rules }) => ({
    name,
    intervalMs: Math.round(interval * 1000),
    rules: rules.map(ruleOf),
  }));
}

function ruleOf(rule: z.infer<typeof saidRule>): Rule {
  const { labels = {}, annotations = {}, query: expr } = rule;
  if (rule.type === 'recording') return { kind: 'record', record: rule.name, expr, labels };
  return {
    kind: 'alert',
    alert: rule.name,
    expr,
    forMs: Math.round((rule.duration ?? 0) * 1000),
    keepFiringForMs: Math.round((rule.keepFiringFor ?? 0) * 1000),
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
