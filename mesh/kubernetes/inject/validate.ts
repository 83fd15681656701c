/** Checks beyond the schemas: whether an object can work at all, with the path of each problem's field. */
import { isIP } from 'node:net';
import { hostPort } from '../../../base/host-port.js';
import { isWorkloadName, parseIdentity } from '../../identity/names.js';
import { isNetwork } from '../../policy/authorize.js';
import { type AnyObject, resources } from '../client/objects.js';
import {
  grpcRoutes,
  httpRoutes,
  isServerParent,
  isServiceParent,
} from '../discovery/gateway-routes.js';
import { type FieldProblem } from '../discovery/route-parts.js';
import { profileRoutes } from '../discovery/service-profile.js';
import { splitShares } from '../discovery/specs.js';
import type {
  AuthorizationPolicySpec,
  ExternalWorkloadSpec,
  GrpcRouteSpec,
  HttpRouteSpec,
  MultiClusterLinkSpec,
  ParentRef,
  RateLimitSpec,
  ServerSpec,
  ServiceProfileSpec,
  TrafficSplitSpec,
} from '../discovery/specs.js';
import { unknownRouteAnnotation } from './annotation-check.js';

type Check = (spec: never, object: AnyObject) => FieldProblem[];

const checks: Record<string, Check> = {
  ServiceProfile: (spec: ServiceProfileSpec, { metadata }: AnyObject) => {
    const problems = profileRoutes(spec, metadata.namespace ?? 'default').problems;
    const [service, namespace, svc] = metadata.name.split('.');
    if (!service || !namespace || svc !== 'svc') {
      const message = `'${metadata.name}' names no service`;
      problems.push({
        path: 'metadata.name',
        message: `${message}: expected NAME.NAMESPACE.svc.cluster.local`,
      });
    }
    return problems;
  },
  TrafficSplit: (spec: TrafficSplitSpec) => {
    const problems: FieldProblem[] = [];
    const { backends = [] } = spec;
    if (backends.length > 0 && splitShares(spec).every((b) => b.weight === 0)) {
      problems.push({
        path: 'spec.backends',
        message: 'every weight is 0, so nothing would serve',
      });
    }
    const seen = new Set<string>();
    backends.forEach((b, i) => {
      if (seen.has(b.service)) {
        problems.push({
          path: `spec.backends[${i}].service`,
          message: `'${b.service}' is named twice`,
        });
      }
      seen.add(b.service);
    });
    return problems;
  },
  HTTPRoute: (spec: HttpRouteSpec, route: AnyObject) =>
    isForMeshAlone(spec)
      ? [...annotationProblems(route), ...httpRoutes(route.metadata, spec).problems]
      : [],
  GRPCRoute: (spec: GrpcRouteSpec, route: AnyObject) =>
    isForMeshAlone(spec)
      ? [...annotationProblems(route), ...grpcRoutes(route.metadata, spec).problems]
      : [],
  Server: (spec: ServerSpec) => {
    const { port } = spec;
    const fits =
      typeof port === 'number'
        ? Number.isInteger(port) && port >= 1 && port <= 65535
        : typeof port === 'string' && /^(?=.*[a-z])[a-z0-9-]{1,15}$/.test(port);
    const quoted = typeof port === 'string' && /^\d+$/.test(port) ? ': a number has no quotes' : '';
    return fits
      ? []
      : [{ path: 'spec.port', message: `'${port}' is neither a port nor a port's name${quoted}` }];
  },
  AuthorizationPolicy: (spec: AuthorizationPolicySpec, { metadata }: AnyObject) => {
    const { kind, name } = spec.targetRef;
    const { namespace = 'default' } = metadata;
    const target =
      kind === 'Namespace' && name !== namespace
        ? [
            {
              path: 'spec.targetRef.name',
              message: `'${name}' is not the policy's own namespace, ${namespace}`,
            },
          ]
        : [];
    return [
      ...groupProblems(spec.targetRef),
      ...target,
      ...spec.from.flatMap((from, i) => clientProblems(from, `spec.from[${i}]`)),
    ];
  },
  RateLimit: (spec: RateLimitSpec) => {
    const other = groupProblems(spec.targetRef);
    if (other.length > 0) return other;
    if (!spec.total && !spec.identity) {
      return [{ path: 'spec', message: 'neither total nor identity: it limits nothing' }];
    }
    if (spec.total && spec.identity) {
      return [
        {
          path: 'spec',
          message:
            'total and identity in one: the proxy keeps one kind of bucket, write two Servers',
        },
      ];
    }
    return [];
  },
  MultiClusterLink: ({ gatewayAddress, gatewayIdentity }: MultiClusterLinkSpec) => {
    const at = hostPort(gatewayAddress);
    const message = `'${gatewayAddress}' is no address such as 192.0.2.9:4143`;
    return [
      ...(at && isIP(at.host) !== 0 && at.port > 0
        ? []
        : [{ path: 'spec.gatewayAddress', message }]),
      ...identityProblems(gatewayIdentity, 'spec.gatewayIdentity'),
    ];
  },
  ExternalWorkload: (spec: ExternalWorkloadSpec) =>
    spec.workloadIPs.flatMap(({ ip }, i) =>
      isIP(ip) === 0
        ? [{ path: `spec.workloadIPs[${i}].ip`, message: `'${ip}' is no IP address` }]
        : [],
    ),
};

/** Other meshes have a Server, too. */
function groupProblems({ group, kind }: AuthorizationPolicySpec['targetRef']): FieldProblem[] {
  const own = kind === 'Namespace' ? '' : resources[kind === 'Server' ? kind : 'HTTPRoute'].group;
  if (group === undefined || group === own) return [];
  const message = `'${group}' is not the group of ${kind}, '${own}'`;
  return [{ path: 'spec.targetRef.group', message }];
}

function annotationProblems(route: AnyObject): FieldProblem[] {
  const message = unknownRouteAnnotation(route);
  return message === undefined ? [] : [{ path: 'metadata.annotations', message }];
}

function clientProblems(
  from: AuthorizationPolicySpec['from'][number],
  path: string,
): FieldProblem[] {
  const { identity, network, serviceAccount, namespace } = from;
  const isOfIdentities = [identity, serviceAccount, namespace].some((name) => name !== undefined);
  const isOfNetwork = network !== undefined && from.unauthenticated !== false;
  if (!isOfIdentities && !isOfNetwork && !from.unauthenticated)
    return [{ path, message: "such an entry admits nobody; any identity is identity: '*'" }];
  if (network !== undefined && !isNetwork(network)) {
    return [{ path: `${path}.network`, message: `'${network}' is no CIDR such as 10.0.0.0/8` }];
  }
  if (identity === undefined) {
    const name = { serviceAccount: serviceAccount ?? 'any', namespace: namespace ?? 'any' };
    if (isWorkloadName({ ...name, trustDomain: 'any' })) return [];
    const message = `'${serviceAccount ?? namespace}' is no name of a service account or namespace`;
    return [{ path, message }];
  }
  if (serviceAccount !== undefined || namespace !== undefined) {
    const message = 'identity beside serviceAccount or namespace: write two entries';
    return [{ path, message }];
  }
  const suffix = identity.startsWith('*') ? identity.slice(1) : undefined;
  if (identity === '*' || (suffix?.startsWith('.') && !suffix.includes('*'))) return [];
  if (identity.includes('*')) {
    const message = `'${identity}': * stands only first, before a dot`;
    return [{ path: `${path}.identity`, message }];
  }
  return identityProblems(identity, `${path}.identity`);
}

function identityProblems(identity: string, path: string): FieldProblem[] {
  if (parseIdentity(identity)) return [];
  const message = `'${identity}' is no identity such as web.shop.serviceaccount.identity.cluster.local`;
  return [{ path, message }];
}

/**
 * The Gateway's controller validates a route of a Gateway; if the route belongs to the mesh as well, its status shows
 * the rest.
 */
const isForMeshAlone = ({ parentRefs = [] }: { parentRefs?: ParentRef[] }): boolean =>
  parentRefs.length > 0 && parentRefs.every((p) => isServiceParent(p) || isServerParent(p));

/** Kinds that the validating webhook receives. */
export const validatedKinds = Object.keys(checks);

/** Empty if the object can work. The API server checks the schema first, unless it has an older one. */
export function problemsOfObject(object: AnyObject): FieldProblem[] {
  const check = checks[object.kind];
  if (!check || !object.spec) return [];
  try {
    return check(object.spec as never, object);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return [
      { path: 'spec', message: 'a field that this kind needs is missing or has another form' },
    ];
  }
}
