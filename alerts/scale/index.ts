/** Public interface of alerts/scale/: rule files at a drill's time scale, and the choice of the scale. */
export { type ChosenScale, chooseScale, type Machine } from './choose.js';
export { type Proof, proveScaling } from './proof.js';
export {
  readRules,
  type RuleRemark,
  type ScaledRules,
  scaleReadGroups,
  scaleRuleFiles,
  type ScaleOptions,
  withDistinctNames,
} from './scale.js';
