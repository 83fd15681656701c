/** The public face of alerts/scale/: rule files at a drill's time scale, and which scale they can be drilled at. */
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
