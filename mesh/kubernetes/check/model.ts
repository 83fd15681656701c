/** One check: its condition and, if the condition does not hold, the reason and the next step. */
import type { Clock } from '../../../base/clock.js';
import type { KubeApi } from '../client/api.js';

/** A failed check: the reason found, and the next step. */
export interface Failure {
  reason: string;
  fix: string;
  /** Not known to be wrong, only not known to be right: does not fail the command. */
  warning?: boolean;
  /** There is nothing to look at in this installation. */
  skipped?: boolean;
}

export interface CheckContext {
  /** The reason why no cluster can be asked: no kubeconfig, or an unreadable one. */
  unconfigured?: string | undefined;
  api: KubeApi;
  clock: Clock;
  /** The control plane's namespace. */
  namespace: string;
  /** A URL, or `namespace/service:port`; absent: the check searches for one. */
  prometheus?: string | undefined;
  /** Only this namespace's proxies; absent: all. */
  proxyNamespace?: string | undefined;
}

export interface Check {
  /** Stable; also the anchor of its documentation: `mesh/kubernetes/check/README.md#<id>`. */
  id: string;
  category: string;
  /** The condition that should hold. */
  description: string;
  /** A failed warning does not fail the command. */
  warning?: boolean;
  /** If the check fails, no later check can be judged. */
  fatal?: boolean;
  run(context: CheckContext): Promise<Failure | undefined>;
}

export interface CheckResult {
  id: string;
  category: string;
  description: string;
  /** `unknown`: the caller may not look at it. */
  result: 'success' | 'warning' | 'error' | 'unknown' | 'skipped';
  reason?: string;
  fix?: string;
  documentation?: string;
}

export const documentationOf = (id: string): string => `mesh/kubernetes/check/README.md#${id}`;
