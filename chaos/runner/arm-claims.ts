/** Claims of a scenario on its arms that did not hold. */
import type { ArmRecord } from '../../runbooks/record.js';
import type { Scenario } from '../scenarios/schema.js';

interface Arms {
  scenario: Scenario;
  arms: readonly ArmRecord[];
}

/** The failed claims of each arm: the amplification during the trigger, and the recovery afterwards. */
export function unmetArms({
  scenario,
  arms,
  abort,
  notInjected,
}: Arms & { abort: string | undefined; notInjected?: string | undefined }): string[] {
  return (scenario.arms?.runs ?? []).flatMap((wanted) => {
    const arm = arms.find((a) => a.name === wanted.name);
    if (!arm)
      return (abort ?? notInjected) === undefined ? [`arm '${wanted.name}' did not run`] : [];
    const reasons: string[] = [];
    if (wanted.expect !== 'either' && arm.verdict !== wanted.expect) {
      reasons.push(`arm '${arm.name}' is ${arm.verdict}, expected ${wanted.expect}`);
    }
    const worst = Math.max(arm.amplificationDuring, arm.amplificationAfter);
    const { amplificationAtLeast: least, amplificationAtMost: most } = wanted;
    const tries = `arm '${arm.name}' made ${worst.toFixed(2)} tries for each request`;
    if (least !== undefined && worst < least) reasons.push(`${tries}, expected at least ${least}`);
    if (most !== undefined && worst > most) reasons.push(`${tries}, expected at most ${most}`);
    const { struck = 0, failed = 0 } = arm;
    const share = failed / struck;
    const saw = `arm '${arm.name}': clients saw ${failed} failures of ${struck} that were made`;
    if (share < (wanted.seenAtLeast ?? 0))
      reasons.push(`${saw}, expected ${wanted.seenAtLeast} of them at least`);
    if (share > (wanted.seenAtMost ?? Infinity))
      reasons.push(`${saw}, expected ${wanted.seenAtMost} of them at most`);
    return reasons;
  });
}

/** Fewer failures than this are too few for the ratio of failures that clients see. */
const struckLeast = 5;

/** Arms whose trigger struck too seldom, or met too few requests, for a claim about it. */
export function tooFewStruck({ scenario, arms }: Arms): string[] {
  return (scenario.arms?.runs ?? []).flatMap((wanted) => {
    const { name, seenAtLeast, seenAtMost, amplificationAtLeast, amplificationAtMost } = wanted;
    const arm = arms.find((a) => a.name === name);
    if (!arm) return [];
    if (
      (amplificationAtLeast ?? amplificationAtMost) !== undefined &&
      arm.amplificationDuring === 0
    ) {
      return [`arm '${name}': no try was counted while the trigger was on`];
    }
    if ((seenAtLeast ?? seenAtMost) === undefined) return [];
    const { struck = 0 } = arm;
    if (struck >= struckLeast) return [];
    return [
      `arm '${name}': the trigger struck ${struck} times, and ${struckLeast} are the least to judge by`,
    ];
  });
}
