import type { Node, Value } from "../../../graph/index.js";
import { constantInts, type NodeContext } from "../node.js";

/** Nodes that only give their first input another shape. */
const RENAMING = new Set(["Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout"]);

/** True for a node whose output is its first input under another shape; null for all others. */
export function renameSpec(node: Node, at: NodeContext): true | null {
  if (node.domain !== "" || !RENAMING.has(node.op)) return null;
  const [input, output, ...others] = [node.inputs[0]!, ...node.outputs] as [Value, Value | null];
  if (output == null || others.some((value) => value != null) || at.type(input).dtype === "string") return null;
  if (node.op === "Dropout" && node.inputs[2] != null && constantInts(node, 2, at)?.[0] !== 0) return null;
  return true;
}
