/** Answers Prometheus's API for targets. */
import { formatDurationMs } from '../../../base/duration.js';
import type { Scraper } from '../scraper.js';
import { goTime } from './rule-answers.js';

export function targetsJson(scrapers: readonly Scraper[], query: URLSearchParams): object {
  const [state, pools] = [query.get('state') ?? 'any', query.getAll('scrapePool')];
  const wanted = scrapers.filter(
    ({ target }) => state !== 'dropped' && (pools.length === 0 || pools.includes(target.job)),
  );
  return { activeTargets: wanted.map(targetJson), droppedTargets: [], droppedTargetCounts: {} };
}

function targetJson({ target, labels, last, lastError, intervalMs, timeoutMs }: Scraper): object {
  const { protocol, host, pathname } = new URL(target.url);
  const [interval, timeout] = [intervalMs, timeoutMs].map(formatDurationMs);
  return {
    discoveredLabels: {
      __address__: host,
      __metrics_path__: pathname,
      __scheme__: protocol.slice(0, -1),
      __scrape_interval__: interval,
      __scrape_timeout__: timeout,
      job: target.job,
    },
    labels,
    scrapePool: target.job,
    scrapeUrl: target.url,
    globalUrl: target.url,
    lastError: lastError ?? '',
    lastScrape: goTime(last?.timeMs),
    lastScrapeDuration: last?.seconds ?? 0,
    health: last === undefined ? 'unknown' : lastError === undefined ? 'up' : 'down',
    scrapeInterval: interval,
    scrapeTimeout: timeout,
  };
}
