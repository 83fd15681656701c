/** Whether the traffic of meshed pods can be redirected to their proxies. */
import { annotations, labels } from '../annotations.js';
import { resources } from '../client/objects.js';
import type { Namespace } from '../discovery/types.js';
import { strictLevels } from '../inject/admission.js';
import { names, nodeNamespaceOf } from '../install/names.js';
import { type PerNode, unreadyNodes } from '../install/rolled-out.js';
import type { Check, CheckContext } from './model.js';

const findRedirector = ({ api, namespace }: CheckContext) =>
  api.find<PerNode>(resources.DaemonSet, nodeNamespaceOf(namespace), names.redirector);

export const redirectionChecks: Check[] = [
  {
    id: 'redirector-on-every-node',
    category: 'firedrill-existence',
    description: 'the redirector, if it is installed, runs on every node',
    run: async (context) => {
      const found = await findRedirector(context);
      const reason = found && unreadyNodes(found);
      if (reason === undefined) return undefined;
      const where = nodeNamespaceOf(context.namespace);
      return {
        reason: `DaemonSet ${names.redirector}: ${reason}`,
        fix: `kubectl -n ${where} describe pods; meshed pods of the other nodes do not start`,
      };
    },
  },
  {
    id: 'pod-security',
    category: 'firedrill-webhooks',
    description: 'no meshed namespace refuses the redirection by Pod Security',
    warning: true,
    run: async (context) => {
      if (await findRedirector(context)) return undefined;
      const { items } = await context.api.list<Namespace>(resources.Namespace);
      const strict = items.filter(
        ({ metadata: { annotations: own, labels: given } }) =>
          own?.[annotations.inject] === 'enabled' &&
          own[annotations.mode] !== 'explicit' &&
          strictLevels.includes(given?.[labels.podSecurity] ?? ''),
      );
      if (strict.length === 0) return undefined;
      return {
        reason: `pods with an init container are refused in ${strict.map((n) => n.metadata.name).join(', ')}`,
        fix: 'firedrill upgrade --set redirector.enabled=true --apply, or annotate mode: explicit',
      };
    },
  },
];
