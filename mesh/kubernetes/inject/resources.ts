/** Requests and limits of a proxy's container, in Kubernetes' quantities. */
import { annotations } from '../annotations.js';

const pattern = /^(\d+(?:\.\d+)?)(m|[kMGT]|[KMGT]i|)$/;
const factors: Readonly<Record<string, number>> = {
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** With less memory, the kernel kills the proxy before it serves. */
export const leastMemoryBytes = 32 * 2 ** 20;

export const isQuantity = (text: string): boolean => pattern.test(text);

/** Bytes for memory, cores for CPU. NaN if the text is no quantity. */
export function bytesOf(text: string): number {
  const [, digits, unit = ''] = pattern.exec(text) ?? [];
  return Number(digits) * (factors[unit] as number);
}

export interface ProxyResources {
  cpuRequest: string;
  memoryRequest: string;
  memoryLimit: string;
  cpuLimit?: string;
}

export function proxyResources(
  read: (key: string) => string | undefined,
  defaults: ProxyResources,
): { requests: { cpu: string; memory: string }; limits: { memory: string; cpu?: string } } {
  const memoryLimit = read(annotations.proxyMemoryLimit) ?? defaults.memoryLimit;
  const cpuLimit = read(annotations.proxyCpuLimit) ?? defaults.cpuLimit;
  // The API server refuses a request above its limit, and a user who sets only one of the two means that value.
  const within = (request: string, limit: string | undefined): string =>
    limit !== undefined && bytesOf(request) > bytesOf(limit) ? limit : request;
  return {
    requests: {
      cpu: within(read(annotations.proxyCpuRequest) ?? defaults.cpuRequest, cpuLimit),
      memory: within(read(annotations.proxyMemoryRequest) ?? defaults.memoryRequest, memoryLimit),
    },
    limits: { memory: memoryLimit, ...(cpuLimit ? { cpu: cpuLimit } : {}) },
  };
}

/** A quota of CPU limits asks for a limit of each container: of the init container, too, where the proxy has one. */
export const initResources = (cpuLimit: string | undefined): object => ({
  requests: {
    cpu: cpuLimit !== undefined && bytesOf(cpuLimit) < 0.01 ? cpuLimit : '10m',
    memory: '32Mi',
  },
  limits: { memory: '128Mi', ...(cpuLimit ? { cpu: cpuLimit } : {}) },
});
