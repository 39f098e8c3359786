import type { Specialized } from "../specialize.js";
import { attendRowsFirst, joinCaches, recognizeAttention } from "./attention.js";
import { mergeCommonSubexpressions } from "./common-subexpressions.js";
import { absorbIntoProducts } from "./matrix-product.js";
import { simplifyRenames } from "./renames.js";
import { recognizeRotary, rotateRowsFirst } from "./rotary.js";
import { StepGraph } from "./step-graph.js";

/**
 * What is easier to see with shapes known than in the graph as it came: renaming is told from moving, common work is done once, rotary
 * embedding and attention are recognized in their primitives, and Transposes go where a kernel absorbs them. A few rounds over
 * the steps, each linear in their number.
 */
export function simplify(spec: Specialized): Specialized {
  const graph = new StepGraph(spec);
  const rules = [
    simplifyRenames,
    mergeCommonSubexpressions(),
    recognizeRotary,
    recognizeAttention,
    mergeCommonSubexpressions(),
    joinCaches,
    rotateRowsFirst,
    attendRowsFirst,
    simplifyRenames,
    absorbIntoProducts,
  ];
  for (const rule of rules) graph.rewrite(rule);
  return graph.specialized();
}
