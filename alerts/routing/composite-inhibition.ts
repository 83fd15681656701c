/** Which alert of a composite SLO and its parts is sent: the one that names the cause. */
import type { Slo } from '../../slo/spec/model.js';
import type { Inhibition } from '../library/inhibition.js';

const quoted = JSON.stringify;
const noData = (is: boolean): string => `alertname${is ? '=' : '!'}~".+NoData"`;

/**
 * A part that pages is the cause why the composite's budget burns; one without data, why the composite has none. A
 * fallback burns only if every part fails, so its page is the news, and the parts' pages are details of it.
 */
export function compositeInhibitions(slos: readonly Slo[]): Inhibition[] {
  return slos.flatMap((slo): Inhibition[] => {
    if (slo.sli.kind !== 'composite') return [];
    const whole = `slo=${quoted(slo.id)}`;
    const ids = slo.sli.parts.map((part) => part.slo.replaceAll('.', '\\.'));
    const parts = `slo=~${quoted(ids.join('|'))}`;
    const [source, target] = slo.sli.by === 'fallback' ? [whole, parts] : [parts, whole];
    const why = `${slo.id} is composed of them`;
    return [
      {
        source: [source, 'severity="page"', noData(false)],
        target: [target, noData(false)],
        equal: [],
        why,
      },
      { source: [parts, noData(true)], target: [whole, noData(true)], equal: [], why },
    ];
  });
}
