/** Parts of PromQL that Prometheus, or its older releases, refuse unless a feature is enabled. */
import { featuresOf, refusing } from '../../../slo/promql/syntax/features.js';
import { type Check, placeOfNode } from '../context.js';

export const featureChecks: Check = (rule, options, say) => {
  if (!rule.expr) return;
  for (const use of featuresOf(rule.expr)) {
    if (options.enabledFeatures.includes(use.feature)) continue;
    const { feature, word, since } = use;
    const flag = `--enable-feature=${feature}`;
    say('promql/feature-flag', placeOfNode(rule, use), {
      message: `${refusing(use)} refuses the whole file because of ${word}`,
      fix:
        since === undefined
          ? `start Prometheus with ${flag} and give lint the same option, or avoid ${word}`
          : `Prometheus ${since} needs no flag: give lint ${flag}`,
    });
  }
};
