/** Writes groups as rule files, PrometheusRule objects, Mimir groups or a Kustomize folder. */
import type { RuleGroup } from './model.js';
import { distinctNames, objectName } from './object-names.js';
import { groupsText, ruleFileHeader, ruleFileText, yamlScalar } from './write.js';

export type OutputFormat = 'rules' | 'prometheusrule' | 'mimir' | 'kustomize';
export const outputFormats: readonly OutputFormat[] = [
  'rules',
  'prometheusrule',
  'mimir',
  'kustomize',
];

export interface Part {
  /** Name of the service, or of the single file. */
  name: string;
  groups: RuleGroup[];
}

/** A Kubernetes object may have 1.5 MB in etcd; half of that leaves room for annotations that tools add. */
export const objectBytesMax = 700_000;

/** Texts by file name; with a single part the caller may choose the name. */
export function outputFiles(
  parts: readonly Part[],
  format: OutputFormat,
  namespace: string,
): Map<string, string> {
  const files = new Map<string, string>();
  const names = distinctNames(
    parts.map((part) => part.name),
    objectName,
  );
  parts.forEach((part, i) => {
    if (format === 'rules') files.set(`${part.name}.yaml`, ruleFileText(part.groups));
    else if (format === 'mimir') {
      const head = `${ruleFileHeader}namespace: ${yamlScalar(part.name)}\n`;
      files.set(`${part.name}.yaml`, head + groupsText(part.groups));
    } else {
      // The folder's own file has this name.
      const file = part.name === 'kustomization' ? names[i] : part.name;
      files.set(`${file}.yaml`, prometheusRules(part, namespace, names[i]).join('---\n'));
    }
  });
  if (format === 'kustomize') {
    const resources = [...files.keys()].sort().map((f) => `  - ${f}\n`);
    files.set(
      'kustomization.yaml',
      `${ruleFileHeader}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n` +
        `namespace: ${yamlScalar(namespace)}\nresources:\n${resources.join('')}`,
    );
  }
  return files;
}

/** PrometheusRule objects, as few as possible but each within the size of an object. */
export function prometheusRules(
  part: Part,
  namespace: string,
  name = objectName(part.name),
): string[] {
  const chunks: RuleGroup[][] = [];
  let chunk: RuleGroup[] = [];
  let bytes = 0;
  for (const group of part.groups) {
    const size = Buffer.byteLength(groupsText([group]));
    if (chunk.length > 0 && bytes + size > objectBytesMax) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(group);
    bytes += size;
  }
  chunks.push(chunk);
  return chunks.map((groups, i) => {
    const suffix = chunks.length > 1 ? `-${i + 1}` : '';
    return (
      `${ruleFileHeader}apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n` +
      `  name: ${yamlScalar(`${name}${suffix}`)}\n  namespace: ${yamlScalar(namespace)}\n` +
      `  labels:\n    app.kubernetes.io/managed-by: firedrill\n    role: alert-rules\n` +
      `spec:\n${groupsText(groups, '  ')}`
    );
  });
}
