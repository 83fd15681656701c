/** One request's path through the proxies on one time axis: each proxy's part, and its attempts. */
import { linearScale, linearTicks } from '../../base/axis.js';
import { shortened } from '../../base/drawing/frame.js';
import { Sized } from './frame.js';
import type { Found } from './requests.js';

const rowHeight = 40;
const left = 4;
/** On average, in pixels. */
const letterWidth = 6.6;

export function Waterfall({ parts }: { parts: readonly Found[] }) {
  const spans = parts.map((part) => {
    const fromMs = Date.parse(part.why.time) || 0;
    return { part, fromMs, endMs: fromMs + Math.max(0, part.why.durationMs) };
  });
  const startMs = Math.min(...spans.map((s) => s.fromMs));
  const totalMs = Math.max(1, ...spans.map((s) => s.endMs - startMs));
  const height = spans.length * rowHeight;
  const words = spans.map(({ part, fromMs }) => wordsOf(part, fromMs - startMs)).join('; ');
  return (
    <Sized>
      {(width) => {
        const x = linearScale([0, totalMs], [left, width - 60]);
        return (
          <svg width={width} height={height + 22} role="img" aria-label={words}>
            {linearTicks(0, totalMs, Math.max(2, Math.floor(width / 110))).map((tick) => (
              <g key={tick}>
                <line class="grid" x1={x(tick)} x2={x(tick)} y1={0} y2={height} />
                <text class="soft" x={x(tick)} y={height + 16}>
                  {tick} ms
                </text>
              </g>
            ))}
            {spans.map(({ part, fromMs, endMs }, row) => {
              const failed = part.why.verdict.classification === 'failure';
              const from = x(fromMs - startMs);
              const head = part.why.latencyMs;
              return (
                <g key={row}>
                  <text class="lane-text" x={left} y={row * rowHeight + 15}>
                    {shortened(wordsOf(part, fromMs - startMs), (width - left) / letterWidth)}
                    <title>{wordsOf(part, fromMs - startMs)}</title>
                  </text>
                  <rect
                    class={`life ${failed ? 'over' : ''}`}
                    x={from}
                    y={row * rowHeight + 21}
                    rx={2}
                    width={Math.max(2, x(endMs - startMs) - from)}
                    height={11}
                  />
                  {head !== null && (
                    <line
                      class="deadline"
                      x1={x(fromMs - startMs + head)}
                      x2={x(fromMs - startMs + head)}
                      y1={row * rowHeight + 19}
                      y2={row * rowHeight + 34}
                    >
                      <title>The head of the answer, after {head} ms</title>
                    </line>
                  )}
                </g>
              );
            })}
          </svg>
        );
      }}
    </Sized>
  );
}

function wordsOf({ proxy, why }: Found, afterMs: number): string {
  const { direction, verdict, durationMs, retries, earlierTries = [] } = why;
  const mark = verdict.classification === 'failure' ? '✗' : '✓';
  const reason = verdict.reason === undefined ? '' : ` (${verdict.reason})`;
  const tried = earlierTries.length > 0 ? `, tried before: ${earlierTries.join(', ')}` : '';
  const again = retries > 0 ? `, ${retries} retried${tried}` : tried;
  const after = afterMs >= 1 ? `, begun ${Math.round(afterMs)} ms after the first` : '';
  return `${mark} ${proxy}, ${direction}: ${verdict.status}${reason} in ${durationMs} ms${after}${again}`;
}
