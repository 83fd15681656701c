/** The alert's labels and value in a template, apart from those of a query's samples, comments and texts. */
import type { Node, Operand, Pipeline, Template } from '../../slo/template/index.js';

export interface TemplateUse {
  /** The label's name; undefined for the alert's value. */
  label: string | undefined;
  offset: number;
  /** Whether the text shows it; otherwise it is only a condition, or kept in a variable. */
  shown: boolean;
}

/** Within `range` and `with` the dot is another value; a defined template is given one that is not known. */
export function usesIn({ body }: Template): TemplateUse[] {
  const found: TemplateUse[] = [];
  nodes(body, true);
  return found;

  function nodes(list: readonly Node[], isRoot: boolean): void {
    for (const node of list) {
      if (node.kind === 'action') pipeline(node.pipeline, isRoot, !node.pipeline.variables.length);
      else if (node.kind === 'template' && node.pipeline) pipeline(node.pipeline, isRoot, true);
      else if (node.kind === 'if' || node.kind === 'with' || node.kind === 'range') {
        pipeline(node.pipeline, isRoot, false);
        nodes(node.body, isRoot && node.kind === 'if');
        nodes(node.otherwise, isRoot);
      }
    }
  }

  function pipeline(of: Pipeline, isRoot: boolean, shown: boolean): void {
    for (const operand of of.commands.flatMap((command) => command.operands)) {
      if (operand.kind === 'pipeline') pipeline(operand.pipeline, isRoot, shown);
      const [first, label] = pathOf(operand, isRoot);
      const { offset } = operand;
      if (first === 'Value') found.push({ label: undefined, offset, shown });
      if (first === 'Labels' && label !== undefined) found.push({ label, offset, shown });
    }
  }
}

/** The path from the alert's data, such as `Labels`, `job`; empty for anything else. */
function pathOf(operand: Operand, isRoot: boolean): readonly string[] {
  if (operand.kind === 'field') return isRoot ? operand.path : [];
  if (operand.kind !== 'variable') return [];
  const { name, path } = operand;
  return name === '$'
    ? path
    : name === '$labels'
      ? ['Labels', ...path]
      : name === '$value'
        ? ['Value']
        : [];
}
