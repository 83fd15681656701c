/** `firedrill gameday export`: YAML on standard output, what could not be said on standard error. */
import { exitCode } from '../../base/errors.js';
import { readScenarios } from '../scenarios/read.js';
import { chaosMeshWorkflow } from './chaos-mesh.js';

export interface ExportOptions {
  namespace: string;
  controlNamespace: string;
}

export function exportScenarios(names: readonly string[], options: ExportOptions): number {
  const documents: string[] = [];
  for (const { scenario } of readScenarios(names)) {
    const { yaml, left } = chaosMeshWorkflow(scenario, options);
    for (const text of left) process.stderr.write(`${scenario.id}: ${text}\n`);
    if (yaml !== '') documents.push(yaml);
  }
  if (documents.length === 0) return exitCode.failed;
  process.stdout.write(documents.join('---\n'));
  return exitCode.ok;
}
