/** Names of dashboards: Grafana takes at most 40 characters, and two of one name are one dashboard. */
import { createHash } from 'node:crypto';

/** The longest that Grafana takes. */
const lengthMax = 40;

/** `slo-checkout-availability`; a long one is cut, and told apart by a hash of the whole. */
export function uidOf(id: string): string {
  const plain = `slo-${id}`.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  if (plain.length <= lengthMax && plain === `slo-${id}`) return plain;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 8);
  return `${plain.slice(0, lengthMax - 9)}-${hash}`;
}
