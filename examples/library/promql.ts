/** Runs a query over samples in memory, with Prometheus 3's semantics: `firedrill/promql`. */
import { evaluateInstant, MemoryStore } from 'firedrill/promql';

const store = new MemoryStore();
const series = store.series({ __name__: 'requests_total', job: 'checkout' });
for (let second = 0; second <= 300; second += 15) series.append(second * 1000, second * 20);
const { value } = evaluateInstant('sum by (job) (rate(requests_total[1m]))', store, 300_000);
process.stdout.write(`${JSON.stringify(value)}\n`);
