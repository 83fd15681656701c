import type { YamlDocument } from '../../base/yaml.js';
import type { Slo } from './model.js';
export function readOpenSlo(_d: YamlDocument[]): Slo[] {
  return [];
}
