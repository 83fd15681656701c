/** What can be done to a process that runs already, beside killing and pausing it: one idea a file, named here. */
import { type Cpu, cpuLimit } from './cpu.js';
import { type Memory, memoryLimit } from './memory.js';
import { openFilesLimit, type OpenFiles } from './open-files.js';

export interface StruckProcess {
  /** Of the lease. */
  id: string;
  /** It, and whatever it started; empty once it has ended. */
  pids(): number[];
}

/** On since it was made. */
export interface ProcessLimit {
  /** What it did since it was asked last. */
  look(): number;
  /** Takes it back. */
  end(): void;
}

export type ProcessLimitFault = Cpu | Memory | OpenFiles;

export const processLimits = { cpu: cpuLimit, memory: memoryLimit, 'open-files': openFilesLimit };

export type ProcessLimitKind = keyof typeof processLimits;

export const isProcessLimit = (kind: unknown): kind is ProcessLimitKind =>
  typeof kind === 'string' && Object.hasOwn(processLimits, kind);

/** Why this machine cannot do it; undefined where it can. */
export const whyNoLimit = (kind: ProcessLimitKind): string | undefined =>
  processLimits[kind].whyNot();

/** Those that this machine cannot do, each with its reason. */
export const limitsImpossibleHere = (): [ProcessLimitKind, string][] =>
  (Object.keys(processLimits) as ProcessLimitKind[]).flatMap((kind) => {
    const why = whyNoLimit(kind);
    return why === undefined ? [] : [[kind, why] satisfies [ProcessLimitKind, string]];
  });

/** Throws where it cannot be put. */
export function putLimit(fault: ProcessLimitFault, struck: StruckProcess): ProcessLimit {
  switch (fault.kind) {
    case 'cpu':
      return cpuLimit.put(fault, struck);
    case 'memory':
      return memoryLimit.put(fault, struck);
    case 'open-files':
      return openFilesLimit.put(fault, struck);
  }
}
