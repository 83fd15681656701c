/** Lists the faults of a running process other than killing and pausing it; each has its own file. */
import { type Cpu, cpuLimit } from './cpu.js';
import { type Memory, memoryLimit } from './memory.js';
import { openFilesLimit, type OpenFiles } from './open-files.js';

export interface StruckProcess {
  /** The id of the lease. */
  id: string;
  /** The process and its descendants; empty once it has ended. */
  pids(): number[];
}

/** A limit, active from its creation. */
export interface ProcessLimit {
  /** The effect since the last call. */
  look(): number;
  /** Why the limit is no longer there, though nobody rolled it back; absent: it holds for new processes, too. */
  lost?(): string | undefined;
  /** Rolls the limit back. */
  end(): void;
}

export type ProcessLimitFault = Cpu | Memory | OpenFiles;

export const processLimits = { cpu: cpuLimit, memory: memoryLimit, 'open-files': openFilesLimit };

export type ProcessLimitKind = keyof typeof processLimits;

export const isProcessLimit = (kind: unknown): kind is ProcessLimitKind =>
  typeof kind === 'string' && Object.hasOwn(processLimits, kind);

/** The reason why this machine does not support the limit; undefined if it does. */
export const whyNoLimit = (kind: ProcessLimitKind): string | undefined =>
  processLimits[kind].whyNot();

/** The limits that this machine does not support, each with its reason. */
export const limitsImpossibleHere = (): [ProcessLimitKind, string][] =>
  (Object.keys(processLimits) as ProcessLimitKind[]).flatMap((kind) => {
    const why = whyNoLimit(kind);
    return why === undefined ? [] : [[kind, why] satisfies [ProcessLimitKind, string]];
  });

/** Throws if the limit cannot be set. */
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
