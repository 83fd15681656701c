/** Configuration files for a real Prometheus and Alertmanager; JSON, which is also YAML. */
import { resolve } from 'node:path';
import { formatDurationMs } from '../../base/duration.js';
import { bodyMaxBytes, seriesMax } from './scraper.js';
import { type Grouping, instanceOf, type Target, type WatchOptions } from './model.js';

const duration = (ms: number): string => formatDurationMs(Math.max(1, Math.round(ms)));
const text = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/**
 * Format that Prometheus 3 assumes for a target without a content type. Prometheus 2 always assumes it, and refuses
 * the field.
 */
export const fallbackField = 'fallback_scrape_protocol';

export interface Files {
  /** Our rule files, beside the user's. */
  rules: readonly string[];
  targets: string;
}

export function prometheusConfig(
  options: WatchOptions,
  files: Files,
  alertmanagerPort: number,
  fallback: boolean,
): string {
  const scrape = duration(options.scrapeIntervalMs);
  return text({
    global: {
      scrape_interval: scrape,
      // Prometheus refuses a timeout above the interval; its default is ten seconds.
      scrape_timeout: duration(Math.min(10_000, options.scrapeIntervalMs)),
      evaluation_interval: duration(options.evaluationIntervalMs),
      ...(options.externalLabels ? { external_labels: options.externalLabels } : {}),
    },
    rule_files: [...files.rules, ...(options.ruleFiles ?? []).map((file) => resolve(file))],
    alerting: {
      alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanagerPort}`] }] }],
    },
    scrape_configs: [
      {
        job_name: 'firedrill',
        file_sd_configs: [{ files: [files.targets] }],
        body_size_limit: `${bodyMaxBytes}B`,
        sample_limit: seriesMax,
        ...(fallback ? { [fallbackField]: 'PrometheusText0.0.4' } : {}),
      },
    ],
  });
}

/** Targets for Prometheus's file-based discovery. */
export function targetsFile(targets: readonly Target[]): string {
  return text(
    targets.map((target) => {
      const url = new URL(target.url);
      const parameters = [...url.searchParams].map(([name, value]) => [`__param_${name}`, value]);
      return {
        targets: [url.host],
        labels: {
          ...target.labels,
          job: target.job,
          instance: instanceOf(target),
          __scheme__: url.protocol.replace(':', ''),
          __metrics_path__: url.pathname,
          ...(Object.fromEntries(parameters) as Record<string, string>),
        },
      };
    }),
  );
}

export function alertmanagerConfig(webhook: string, grouping: Grouping): string {
  return text({
    route: {
      receiver: 'firedrill',
      group_by: grouping.by,
      group_wait: duration(grouping.waitMs),
      group_interval: duration(grouping.intervalMs),
      repeat_interval: duration(grouping.repeatMs),
    },
    receivers: [{ name: 'firedrill', webhook_configs: [{ url: webhook, send_resolved: true }] }],
  });
}
