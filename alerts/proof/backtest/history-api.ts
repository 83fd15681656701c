/** Downloads history from a Prometheus in chunks and keeps each on disk, so that an interrupted download continues. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../../base/make-folder.js';
import { type Clock, sleep } from '../../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { writeFileWhole } from '../../../base/write-file.js';
import { PrometheusClient, PrometheusGone } from '../../../slo/budget/prometheus.js';
import type { AskRange, RangeSeries } from './measure.js';

/** Well below the 11,000 points that Prometheus allows, so that a failed chunk is quickly repeated. */
const chunkPoints = 4000;
const attemptsMax = 4;

export interface HistoryOptions {
  url: string;
  /** Folder for the chunks. */
  folder: string;
  clock: Clock;
  /** Wait before the first repetition of a failed request, in milliseconds; grows with each attempt. */
  retryMs?: number;
  onProgress?: (text: string) => void;
}

interface Chunk {
  series: { labels: Record<string, string>; points: [number, number][] }[];
}

export function historyOf(options: HistoryOptions): AskRange {
  const client = new PrometheusClient(options.url, 60_000);
  makeFolder(options.folder);
  return async (expr, startMs, endMs, stepMs) => {
    const all = new Map<string, RangeSeries & { points: [number, number][] }>();
    const chunkMs = chunkPoints * stepMs;
    const count = Math.max(1, Math.ceil((endMs - startMs + stepMs) / chunkMs));
    for (let i = 0; i < count; i++) {
      const fromMs = startMs + i * chunkMs;
      const toMs = Math.min(endMs, fromMs + chunkMs - stepMs);
      options.onProgress?.(`${i + 1} of ${count} chunks`);
      const chunk = await chunkOf(client, options, expr, { fromMs, toMs, stepMs });
      for (const { labels, points } of chunk.series) {
        const key = JSON.stringify(Object.entries(labels).sort());
        const known = all.get(key);
        if (!known) all.set(key, { labels, points: [...points] });
        else for (const point of points) known.points.push(point);
      }
    }
    return [...all.values()];
  };
}

async function chunkOf(
  client: PrometheusClient,
  options: HistoryOptions,
  expr: string,
  span: { fromMs: number; toMs: number; stepMs: number },
): Promise<Chunk> {
  const { fromMs, toMs, stepMs } = span;
  const name = createHash('sha256')
    .update(JSON.stringify([client.url, expr, fromMs, toMs, stepMs]))
    .digest('hex');
  const file = join(options.folder, `${name.slice(0, 32)}.json`);
  const kept = readChunk(file);
  if (kept) return kept;
  for (let attempt = 1; ; attempt++) {
    try {
      const chunk: Chunk = { series: await client.range(expr, fromMs, toMs, stepMs) };
      // A chunk that reaches the present is incomplete, so it is not kept.
      if (toMs < options.clock.nowMs() - stepMs) writeFileWhole(file, JSON.stringify(chunk), 0o600);
      return chunk;
    } catch (error) {
      if (!(error instanceof PrometheusGone)) throw error;
      if (attempt >= attemptsMax) {
        throw new UserError(
          `${messageOf(error)} (the chunks so far are kept; run the same command to continue)`,
          exitCode.environment,
        );
      }
      options.onProgress?.(`not reached, attempt ${attempt + 1} of ${attemptsMax}`);
      await sleep((options.retryMs ?? 1000) * attempt);
    }
  }
}

/** The chunk; undefined where the file is missing or incomplete. */
function readChunk(file: string): Chunk | undefined {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8'), (_, v: unknown) =>
      v === null ? NaN : v,
    ) as Chunk;
    return Array.isArray(value.series) ? value : undefined;
  } catch {
    return undefined;
  }
}
