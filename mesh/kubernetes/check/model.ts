/** One check: what should hold, and where it does not, why, and what to do. */
import type { Clock } from '../../../base/clock.js';
import type { KubeApi } from '../client/api.js';

/** A check that does not hold: the reason as it was found, and the next step. */
export interface Failure {
  reason: string;
  fix: string;
  /** Not known to be wrong, only not known to be right: does not fail the command. */
  warning?: boolean;
}

export interface CheckContext {
  /** Why nobody can be asked: no kubeconfig, or one that cannot be read. */
  unconfigured?: string | undefined;
  api: KubeApi;
  clock: Clock;
  /** Of the control plane. */
  namespace: string;
  /** A URL, or `namespace/service:port`; absent: one is looked for. */
  prometheus?: string | undefined;
  /** Only this namespace's proxies; absent: all. */
  proxyNamespace?: string | undefined;
}

export interface Check {
  /** Stable; also the anchor of its documentation: `mesh/kubernetes/check/README.md#<id>`. */
  id: string;
  category: string;
  /** What should hold. */
  description: string;
  /** A failed warning does not fail the command. */
  warning?: boolean;
  /** Where it fails, nothing after it can be judged. */
  fatal?: boolean;
  run(context: CheckContext): Promise<Failure | undefined>;
}

export interface CheckResult {
  id: string;
  category: string;
  description: string;
  result: 'success' | 'warning' | 'error' | 'skipped';
  reason?: string;
  fix?: string;
  documentation?: string;
}

export const documentationOf = (id: string): string => `mesh/kubernetes/check/README.md#${id}`;
