/** `firedrill gameday rbac FILE`. */
import { stringify } from 'yaml';
import { UserError } from '../../../base/errors.js';
import { readScenarios } from '../../scenarios/read.js';
import { readDrill } from '../drill-file.js';
import { rbacObjectsOf, type Runner } from './rbac.js';

export function rbacCommand(file: string, runner: string | undefined): Promise<number> {
  const drill = readDrill(file);
  if (drill.system.kind !== 'kubernetes') {
    const place = drill.placeOf(['system', 'kind']);
    const message = `system: ${drill.system.kind} needs no rights of a cluster`;
    throw new UserError({ place, message, expected: 'kind: kubernetes' });
  }
  const faults = readScenarios(drill.scenarios).flatMap(({ scenario: { faults, arms } }) => [
    ...faults,
    ...(arms?.trigger ?? []),
    ...(arms?.runs.flatMap((run) => run.faults) ?? []),
  ]);
  const objects = rbacObjectsOf(
    drill.system,
    faults,
    runner === undefined ? undefined : subjectOf(runner),
  );
  process.stdout.write(objects.map((o) => `---\n${stringify(o)}`).join(''));
  return Promise.resolve(0);
}

function subjectOf(text: string): Runner {
  const [, namespace, name] = /^([a-z0-9-]+):([a-z0-9.-]+)$/.exec(text) ?? [];
  return namespace !== undefined && name !== undefined
    ? { kind: 'ServiceAccount', namespace, name }
    : { kind: 'User', name: text };
}
