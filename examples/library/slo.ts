/** Makes rules from an SLO, and computes how long after a fault its page fires: `firedrill/slo`. */
import { compileSlos, readSloText, ruleFileText, theoryOf } from 'firedrill/slo';

const definition = `
apiVersion: firedrill.dev/v1
service: checkout
owner: team-shop
window: 30d
runbook: https://runbooks.example/checkout
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        total: http_requests_total{job="checkout"}
        bad: http_requests_total{job="checkout",code=~"5.."}
`;
const slos = readSloText('checkout.yaml', definition);
process.stdout.write(ruleFileText(compileSlos(slos)));
for (const slo of slos) {
  const { detection } = theoryOf(slo, 'page', { baseline: 0, errorRatio: 0.5 });
  const atMost = detection ? `${(detection.latestMs / 1000).toFixed(0)} s` : 'never';
  process.stderr.write(`${slo.id}: half of all requests failing pages after ${atMost} at most\n`);
}
