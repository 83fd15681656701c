/** Ids of dashboards: Grafana allows 40 characters, and treats dashboards with equal ids as one. */
import { shortHash } from '../rules/object-names.js';

/** Maximum length in Grafana. */
const lengthMax = 40;

/** An id such as `slo-checkout-availability`; a long one is cut and ends with a hash of the whole. */
export function uidOf(id: string): string {
  const plain = `slo-${id}`.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  if (plain.length <= lengthMax && plain === `slo-${id}`) return plain;
  return `${plain.slice(0, lengthMax - 9)}-${shortHash(id)}`;
}
