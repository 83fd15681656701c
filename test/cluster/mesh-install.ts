/** Installs the mesh on a node, from this checkout's image. */
import { sleep } from '../../base/clock.js';
import { monitoringParts } from '../../alerts/library/monitoring.js';
import { applyAll, waitAvailable } from '../../mesh/kubernetes/install/apply.js';
import { manifests } from '../../mesh/kubernetes/install/manifests.js';
import { defaultValues } from '../../mesh/kubernetes/install/values.js';
import { productImage } from './image.js';
import type { Node } from './node.js';

export const image = 'firedrill/firedrill:test';

/** Resolves when new pods are injected, to the milliseconds that the installation took without the image's import. */
export async function installMesh(node: Node, redirector = false): Promise<number> {
  node.importImage(productImage(node.folder, image));
  // Nothing else ran meanwhile: connections that the API server has ended are not to be taken for living ones.
  await sleep(50);
  const defaults = defaultValues();
  const values = {
    ...defaults,
    redirector: { ...defaults.redirector, enabled: redirector },
    image,
    imagePullPolicy: 'Never' as const,
    monitoring: { enabled: true, operator: false, release: '', interval: '1s' },
  };
  const objects = manifests(values, '', monitoringParts())
    .filter((m) => m.when !== 'monitoring.operator')
    .filter((m) => redirector || m.when !== 'redirector.enabled')
    .map((m) => m.object);
  const began = performance.now();
  await applyAll(node.api, objects, () => undefined);
  const problem = await waitAvailable(node.api, objects, 120_000);
  if (problem !== undefined) throw new Error(JSON.stringify(problem));
  return performance.now() - began;
}
