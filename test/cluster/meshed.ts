/** The common parts of the tests on a node: whether this machine can run one, and a node with the mesh. */
import { test } from 'vitest';
import { findTool } from '../../base/tools.js';
import { testWith } from '../tools.js';
import { installMesh } from './mesh-install.js';
import { type Node, nodeTools, startNode } from './node.js';

export const isRoot = process.getuid?.() === 0;
export const possible = isRoot && nodeTools.every((name) => findTool(name) !== undefined);
export const needsNode = isRoot ? testWith(...nodeTools) : test.skip;
export const limitMs = 240_000;

export async function startMeshedNode(): Promise<Node> {
  const node = await startNode();
  await installMesh(node);
  return node;
}
