import type { SyntaxNode } from '@lezer/common';

/** The node's children in their order. */
export function childNodes(node: SyntaxNode | null): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node?.firstChild ?? null; child; child = child.nextSibling) found.push(child);
  return found;
}
