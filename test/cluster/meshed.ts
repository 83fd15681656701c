/** A node with the mesh installed from this checkout's image, and what tests put on it. */
import { expect, test } from 'vitest';
import { monitoringParts } from '../../alerts/library/monitoring.js';
import { findTool } from '../../base/tools.js';
import { applyAll, waitAvailable } from '../../mesh/kubernetes/install/apply.js';
import { manifests } from '../../mesh/kubernetes/install/manifests.js';
import { defaultValues } from '../../mesh/kubernetes/install/values.js';
import { testWith } from '../tools.js';
import { productImage } from './image.js';
import { type Node, nodeTools, startNode } from './node.js';

export const isRoot = process.getuid?.() === 0;
export const possible = isRoot && nodeTools.every((name) => findTool(name) !== undefined);
export const needsNode = isRoot ? testWith(...nodeTools) : test.skip;
export const limitMs = 240_000;
export const image = 'firedrill/firedrill:test';

/** The mesh is available: a pod that is created next is injected. */
export async function startMeshedNode(): Promise<Node> {
  const node = await startNode();
  node.importImage(productImage(node.folder, image));
  const values = {
    ...defaultValues(),
    image,
    imagePullPolicy: 'Never' as const,
    monitoring: { enabled: true, operator: false, release: '', interval: '1s' },
  };
  const objects = manifests(values, '', monitoringParts())
    .filter((m) => m.when !== 'monitoring.operator')
    .map((m) => m.object);
  await applyAll(node.api, objects, () => undefined);
  expect(await waitAvailable(node.api, objects, 120_000)).toBeUndefined();
  return node;
}
