import type { YamlDocument } from '../../base/yaml.js';
import type { Slo } from './model.js';
export function readPyrra(_d: YamlDocument): Slo[] {
  return [];
}
