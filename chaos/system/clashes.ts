/** Finds clashes between services of a firedrill.yaml: a port of the machine, the name of a process. */
import type { At, Path } from '../../base/yaml.js';
import type { ProcessesSpec } from './drill-schema.js';
import {
  hasSidecar,
  networkProcess,
  protocolOf,
  relayProcess,
  sidecarName,
  workloadNames,
} from './processes/layout.js';

const root: Path = ['system', 'services'];

export function clashProblems(spec: ProcessesSpec, at: At): void {
  portClashes(spec, at);
  nameClashes(spec, at);
}

function portClashes({ services }: ProcessesSpec, at: At): void {
  const onMachine = new Map<number, string>();
  for (const [name, { ports, network }] of Object.entries(services)) {
    // A service with its own network shares its ports with no other service.
    const taken = network === 'own' ? new Map<number, string>() : onMachine;
    for (const [port, wanted] of Object.entries(ports)) {
      if (wanted === 'auto') continue;
      const other = taken.get(wanted);
      if (other === undefined) taken.set(wanted, `${name}.${port}`);
      else at([...root, name, 'ports', port], `${wanted} is ${other} already`, 'another, or auto');
    }
  }
}

function nameClashes(spec: ProcessesSpec, at: At): void {
  const owners = new Map<string, string>();
  for (const [service, own] of Object.entries(spec.services)) {
    const workloads = workloadNames(service, own);
    const relays = Object.entries(own.calls)
      .filter(([, call]) => protocolOf(spec, call) === 'tcp')
      .map(([call]) => relayProcess(service, call));
    const names = [
      ...(own.replicas > 1 ? [service] : []),
      ...workloads,
      ...(hasSidecar(spec, service) ? workloads.map(sidecarName) : []),
      ...(own.network === 'own' ? workloads.map(networkProcess) : []),
      ...relays,
    ];
    for (const name of names) {
      const other = owners.get(name);
      if (other !== undefined) {
        at(
          [...root, service],
          `'${name}' is the name of a process of ${other} too`,
          'another name',
        );
      }
      owners.set(name, service);
    }
  }
}
