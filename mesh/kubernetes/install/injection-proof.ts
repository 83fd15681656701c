/**
 * Proves that the API server reaches the injector: only an admitted pod shows it. A Deployment is available some
 * moments before its Service routes to it, and a webhook that may be ignored is then silently skipped.
 */
import { messageOf } from '../../../base/errors.js';
import { annotations, proxyContainer } from '../annotations.js';
import { ApiError, type KubeApi } from '../client/api.js';
import { type AnyObject, pathOf, resources } from '../client/objects.js';
import type { Pod } from '../discovery/types.js';
import { isMeshed } from '../discovery/workload.js';

/** `proven`: a new pod gets its proxy. `unknown`: another admission webhook refused the test pod. */
export type InjectionProof = { state: 'proven' } | { state: 'missing' | 'unknown'; reason: string };

/** The only namespace that always exists, and that no webhook of ours excludes. */
const namespace = 'default';

/** A dry run: admitted like any pod, and not stored. Explicit mode and these settings pass as `restricted`. */
const question = (): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    generateName: 'firedrill-injection-check-',
    name: '',
    namespace,
    annotations: { [annotations.inject]: 'enabled', [annotations.mode]: 'explicit' },
  },
  spec: {
    automountServiceAccountToken: false,
    restartPolicy: 'Never',
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 2103,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'app',
        image: 'firedrill/never-started',
        resources: {
          requests: { cpu: '1m', memory: '1Mi' },
          limits: { cpu: '1m', memory: '1Mi' },
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      },
    ],
  },
});

/** Asks once. Throws only if the API server itself does not answer. */
export async function proveInjection(api: KubeApi): Promise<InjectionProof> {
  let made: Pod;
  try {
    const path = `${pathOf(resources.Pod, namespace)}?dryRun=All`;
    made = (await api.call('POST', path, question())) as Pod;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const reason = messageOf(error);
    // The service account appears shortly after the cluster; a webhook that may not be ignored names its own problem.
    const passes = error.status >= 500 || /service ?account.* not found/i.test(reason);
    return { state: passes ? 'missing' : 'unknown', reason };
  }
  if (isMeshed(made)) return { state: 'proven' };
  const reason =
    `a pod got no ${proxyContainer}: the API server does not reach the injector, ` +
    'or does not know its certificate yet';
  return { state: 'missing', reason };
}
