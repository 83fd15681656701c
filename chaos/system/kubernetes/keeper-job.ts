/**
 * The keeper in the cluster: a Job with one pod of our image, started before the first fault, deleted after the last.
 */
import { type Clock, sleep } from '../../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { annotations } from '../../../mesh/kubernetes/annotations.js';
import { isStatus, type KubeApi } from '../../../mesh/kubernetes/client/api.js';
import { type AnyObject, resources } from '../../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../../mesh/kubernetes/discovery/types.js';
import { names } from '../../../mesh/kubernetes/install/names.js';
import { findLease, leaseName, removeLease, renewLease, writeLease } from './cluster-lease.js';
import type { KubernetesSpec } from './kubernetes-schema.js';
import { keeperLabels } from './pods.js';

interface Parts {
  api: KubeApi;
  spec: KubernetesSpec;
  drill: string;
  clock: Pick<Clock, 'monotonicMs'>;
}

const upWithinMs = 60_000;
const pollMs = 250;
/** The lease of the run itself: it has no steps, and keeps the keeper running while the runner lives. */
const runTtlMs = 20_000;
const renewEveryMs = 3000;

const keeperName = (drill: string): string => `firedrill-keeper-${drill}`;

interface Image {
  image: string;
  imagePullPolicy?: string;
}

export class KeeperJob {
  readonly #parts: Parts;
  readonly #stop = new AbortController();
  /** Whether the caller may start a keeper; false until the API server has answered. */
  isAllowed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get #lease(): { namespace: string; name: string } {
    const { spec, drill } = this.#parts;
    return { namespace: spec.namespace, name: leaseName(`run-${drill}`) };
  }

  /**
   * Resolves when a keeper holds the run's lease; resolves at once, without a keeper, if the caller may not start one.
   * Throws a UserError if the keeper's pod does not start.
   */
  async start(): Promise<void> {
    const { api, drill } = this.#parts;
    if (!this.isAllowed) return;
    try {
      await removeLease(api, this.#lease);
      await writeLease(api, drill, { ...this.#lease, ttlMs: runTtlMs, steps: [] });
      await this.#create();
      await this.#untilHeld();
    } catch (error) {
      await this.stop();
      throw error;
    }
    void this.#renew();
  }

  /** A keeper that must still end leases of another run of the same drill stays until they are ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const { api, spec, drill } = this.#parts;
    if (!this.isAllowed) return;
    await removeLease(api, this.#lease).catch(() => undefined);
    await api.remove(resources.Job, spec.namespace, keeperName(drill)).catch(() => undefined);
  }

  async ask(): Promise<void> {
    const { api, spec } = this.#parts;
    const resourceAttributes = {
      namespace: spec.namespace,
      verb: 'create',
      group: 'batch',
      resource: 'jobs',
    };
    const answer = (await api.call(
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes },
      },
    )) as { status?: { allowed?: boolean } };
    this.isAllowed = answer.status?.allowed === true;
  }

  async #create(): Promise<void> {
    const { api, spec, drill } = this.#parts;
    const job = keeperObject(spec, drill, await this.#image());
    try {
      await api.create(job);
    } catch (error) {
      // The keeper of a killed run still runs, and is used.
      if (!isStatus(error, 409)) throw error;
    }
  }

  /** The file's image, or by default the controller's. */
  async #image(): Promise<Image> {
    const { api, spec } = this.#parts;
    if (spec.keeper.image !== undefined) return { image: spec.keeper.image };
    try {
      const found = await api.get<DeploymentImages>(
        resources.Deployment,
        spec.controlPlane,
        names.controller,
      );
      const [container] = found.spec.template.spec.containers;
      if (container) return container;
    } catch (error) {
      if (!isStatus(error, 403) && !isStatus(error, 404)) throw error;
    }
    throw new UserError({
      message: 'no image is known for the keeper: there is no controller whose image could be read',
      expected: 'system.keeper.image',
    });
  }

  async #untilHeld(): Promise<void> {
    const { api, clock } = this.#parts;
    const beganMs = clock.monotonicMs();
    let renewal = 0;
    while ((await findLease(api, this.#lease))?.heldBy === undefined) {
      if (clock.monotonicMs() - beganMs > upWithinMs) {
        const text = `the keeper is not up after ${upWithinMs / 1000} s${await this.#why()}`;
        throw new UserError(text, exitCode.environment);
      }
      if (++renewal % 12 === 0) await renewLease(api, this.#lease, renewal);
      await sleep(pollMs);
    }
  }

  async #why(): Promise<string> {
    const { api, spec, drill } = this.#parts;
    const [labelSelector] = Object.entries(keeperLabels(drill)).map(([k, v]) => `${k}=${v}`);
    try {
      const { items } = await api.list<Pod>(resources.Pod, {
        namespace: spec.namespace,
        labelSelector,
      });
      const waiting = items[0]?.status?.containerStatuses?.[0]?.state?.waiting;
      if (items.length === 0) return `: no pod of the Job ${keeperName(drill)} was made`;
      return waiting ? `: ${waiting.reason}: ${waiting.message ?? ''}` : '';
    } catch (error) {
      return `: ${messageOf(error)}`;
    }
  }

  async #renew(): Promise<void> {
    const { signal } = this.#stop;
    // Beyond every number that the start used.
    for (let renewal = 1000; !signal.aborted; renewal++) {
      await renewLease(this.#parts.api, this.#lease, renewal).catch(() => undefined);
      await sleep(renewEveryMs, signal);
    }
  }
}

interface DeploymentImages {
  spec: { template: { spec: { containers: Image[] } } };
}

/** Restricted, and not meshed: the keeper calls the cluster's API. */
function keeperObject(
  { namespace, keeper }: KubernetesSpec,
  drill: string,
  { image, imagePullPolicy }: Image,
): AnyObject {
  const labels = keeperLabels(drill);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: keeperName(drill), namespace, labels },
    spec: {
      backoffLimit: 1000,
      ttlSecondsAfterFinished: 60,
      template: {
        metadata: { labels, annotations: { [annotations.inject]: 'disabled' } },
        spec: {
          serviceAccountName: keeper.serviceAccount,
          restartPolicy: 'OnFailure',
          terminationGracePeriodSeconds: 5,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 2103,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: 'keeper',
              image,
              ...(imagePullPolicy !== undefined && { imagePullPolicy }),
              args: ['gameday', 'keep', '--namespace', namespace, '--drill', drill],
              resources: { requests: { cpu: '10m', memory: '48Mi' }, limits: { memory: '192Mi' } },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    },
  };
}
