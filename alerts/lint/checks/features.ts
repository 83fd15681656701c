/** Parts of PromQL that Prometheus refuses unless a feature is enabled. */
import { featuresOf } from '../../../slo/promql/syntax/features.js';
import { type Check, placeOfNode } from '../context.js';

export const featureChecks: Check = (rule, options, say) => {
  if (!rule.expr) return;
  for (const use of featuresOf(rule.expr)) {
    if (options.enabledFeatures.includes(use.feature)) continue;
    say('promql/feature-flag', placeOfNode(rule, use), {
      message: `Prometheus refuses the whole file because of ${use.word} unless a feature is enabled`,
      fix: `start Prometheus with --enable-feature=${use.feature} and give lint the same option, or avoid ${use.word}`,
    });
  }
};
