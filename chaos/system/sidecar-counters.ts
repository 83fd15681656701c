/** The counters of a service's sidecar, for services without counters. */
import { eachSample, labelsOf } from '../../alerts/watch/exposition.js';
import { askText } from './ask.js';

/** `received`: requests that came in through its sidecars, counted at their head. */
export const sidecarCounters = ['received'];

export async function countersOfSidecar(admin: string): Promise<Record<string, number>> {
  let received = 0;
  eachSample(await askText(`${admin}/metrics`), {}, ({ series, value }) => {
    if (!series.startsWith('request_total{')) return;
    if (labelsOf(series).direction === 'inbound') received += value;
  });
  return { received };
}
