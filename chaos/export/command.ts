/** `firedrill gameday export` writes YAML to standard output, and a list of omissions to standard error. */
import { existsSync } from 'node:fs';
import { exitCode } from '../../base/errors.js';
import { refuseIn } from '../gameday/check.js';
import { ownScenarios, readScenarios } from '../scenarios/read.js';
import { drillFileName, readDrill } from '../system/drill-file.js';
import { chaosMeshWorkflow } from './chaos-mesh.js';

export interface ExportOptions {
  namespace: string;
  controlNamespace: string;
}

/** Throws a UserError if a scenario cannot work in the drill of this folder. */
export async function exportScenarios(
  names: readonly string[],
  options: ExportOptions,
): Promise<number> {
  const scenarios = readScenarios(names);
  // Built-in scenarios fit the shop and not the drill of this folder, so they are not checked against the drill.
  const own = scenarios.filter((_, i) => !ownScenarios().includes(names[i] as string));
  if (existsSync(drillFileName)) await refuseIn(readDrill(drillFileName), own);
  else {
    for (const { file } of own) {
      const why = `there is no ${drillFileName} here`;
      process.stderr.write(`${file}: names of targets and alerts were not checked: ${why}\n`);
    }
  }
  const documents: string[] = [];
  for (const { scenario } of scenarios) {
    const { yaml, left } = chaosMeshWorkflow(scenario, options);
    for (const text of left) process.stderr.write(`${scenario.id}: ${text}\n`);
    if (yaml !== '') documents.push(yaml);
  }
  if (documents.length === 0) return exitCode.failed;
  process.stdout.write(documents.join('---\n'));
  return exitCode.ok;
}
