// Two metrics that nearly every service has, written out by hand.
const bounds = [0.05, 0.1, 0.25, 0.5, 1, 2.5];

export function metrics() {
  const codes = new Map([['200', 0], ['502', 0]]);
  const buckets = bounds.map(() => 0);
  let count = 0;
  let sum = 0;
  return {
    /** Begins a request; what it returns ends it. */
    timed() {
      const from = performance.now();
      return (code) => {
        const seconds = (performance.now() - from) / 1000;
        codes.set(String(code), (codes.get(String(code)) ?? 0) + 1);
        count++;
        sum += seconds;
        bounds.forEach((bound, i) => (buckets[i] += seconds <= bound ? 1 : 0));
      };
    },
    page: () =>
      [
        '# TYPE http_requests_total counter',
        ...[...codes].map(([code, n]) => `http_requests_total{code="${code}"} ${n}`),
        '# TYPE http_request_duration_seconds histogram',
        ...bounds.map((le, i) => `http_request_duration_seconds_bucket{le="${le}"} ${buckets[i]}`),
        `http_request_duration_seconds_bucket{le="+Inf"} ${count}`,
        `http_request_duration_seconds_sum ${sum}`,
        `http_request_duration_seconds_count ${count}`,
        '',
      ].join('\n'),
  };
}
