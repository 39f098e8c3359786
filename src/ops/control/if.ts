import type { Graph } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { mergeTypes } from "./merge-types.js";

interface IfAttributes {
  readonly thenBranch: Graph;
  readonly elseBranch: Graph;
}

/** ONNX If: the outputs of one of two subgraphs without inputs, picked by a bool of one element. */
export const ifOperator: Operator<IfAttributes> = {
  name: "If",
  domain: "",
  shapeInputs: [0],
  attributes(node) {
    const [thenBranch, elseBranch] = [node.graph("then_branch"), node.graph("else_branch")];
    if (thenBranch.outputs.length !== elseBranch.outputs.length)
      node.fail("else_branch", `${elseBranch.outputs.length} outputs, the other has ${thenBranch.outputs.length}`);
    return { thenBranch, elseBranch };
  },
  infer(inputs, a, context) {
    const condition = need(inputs, 0).value;
    if (condition !== undefined) return context.infer(condition.item() !== 0 ? a.thenBranch : a.elseBranch, []);
    const otherwise = context.infer(a.elseBranch, []);
    return context.infer(a.thenBranch, []).map((type, i) => mergeTypes(type, otherwise[i]!));
  },
  evaluate(inputs, a, context) {
    const condition = need(inputs, 0);
    if (condition.dtype !== "bool") throw new NonzeroError("shape", `the condition is ${condition.dtype}, not bool`);
    return context.run(condition.item() !== 0 ? a.thenBranch : a.elseBranch, []);
  },
};
