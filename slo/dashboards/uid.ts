/** Ids of dashboards: Grafana allows 40 characters, and treats dashboards with equal ids as one. */
import { createHash } from 'node:crypto';

/** Maximum length in Grafana. */
const lengthMax = 40;

/** An id such as `slo-checkout-availability`; a long one is cut and ends with a hash of the whole. */
export function uidOf(id: string): string {
  const plain = `slo-${id}`.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  if (plain.length <= lengthMax && plain === `slo-${id}`) return plain;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 8);
  return `${plain.slice(0, lengthMax - 9)}-${hash}`;
}
