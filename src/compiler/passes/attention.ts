import { attributesOf, type Node, Value } from "../../graph/index.js";
import type { Pass } from "../pass.js";
import { type GraphIndex, otherInput, rewrite } from "../rewrite.js";

/**
 * Recognizes attention spelled in primitives on 4-D tensors [batch, heads, tokens, size]:
 *
 *     MatMul(Softmax(MatMul(q, kᵀ) · scale [+ mask]), v)
 *
 * with scalar factors before or after the product, on either side, as Mul or Div. It becomes ONNX's Attention (opset 23), whose
 * kernel never holds the matrix of scores.
 */
export const recognizeAttention: Pass = {
  name: "recognize-attention",
  run: (graph) =>
    rewrite(graph, (node, index) => {
      if (node.op !== "MatMul" || node.domain !== "") return null;
      const softmax = index.madeBy(node.inputs[0], "Softmax");
      if (softmax === undefined || !onLastAxis(softmax)) return null;
      let scores = softmax.inputs[0]!;
      let mask: Value | null = null;
      const add = index.madeBy(scores, "Add");
      if (add !== undefined) {
        const side = add.inputs.findIndex((input) => scoresOf(input!, index) !== null);
        if (side < 0) return null;
        scores = add.inputs[side]!;
        mask = add.inputs[1 - side]!;
        const rank = (index.constant(mask) ?? mask.type)?.shape?.length;
        if (rank === undefined || rank > 4 || rank < 2) return null;
      }
      const product = scoresOf(scores, index);
      if (product === null) return null;
      const q = unscaled(product.matmul.inputs[0]!, index);
      const kT = unscaled(product.matmul.inputs[1]!, index);
      const transpose = index.madeBy(kT.value, "Transpose");
      const perm = transpose?.attributes.get("perm");
      if (transpose === undefined || perm?.kind !== "ints") return null;
      const v = node.inputs[1]!;
      if (!isRank4(q.value, index) || !isRank4(v, index)) return null;
      const extra: Node[] = [];
      let k = transpose.inputs[0]!;
      if (perm.value.join() === "0,2,3,1") {
        const turned = new Value(`${transpose.name}/keys`);
        extra.push({
          ...transpose,
          name: turned.name,
          outputs: [turned],
          attributes: attributesOf({ perm: [0, 2, 1, 3] }),
        });
        k = turned;
      } else if (perm.value.join() !== "0,1,3,2") return null;
      const scale = product.factor * q.factor * kT.factor;
      const attributes = attributesOf({ scale: { kind: "float", value: scale } });
      const inputs = mask === null ? [q.value, k, v] : [q.value, k, v, mask];
      return [
        ...extra,
        { op: "Attention", domain: "", version: 23, name: node.name, inputs, outputs: node.outputs, attributes },
      ];
    }),
};

function onLastAxis(softmax: Node): boolean {
  const axis = softmax.attributes.get("axis");
  if (axis?.kind !== "int") return softmax.version >= 13;
  return axis.value === -1 || axis.value === 3;
}

/** factor · MatMul. */
function scoresOf(value: Value, index: GraphIndex): { matmul: Node; factor: number } | null {
  const { value: inner, factor } = unscaled(value, index);
  const matmul = index.madeBy(inner, "MatMul");
  return matmul === undefined ? null : { matmul, factor };
}

/** The value behind a multiplication or division by a scalar constant. */
function unscaled(value: Value, index: GraphIndex): { value: Value; factor: number } {
  const mul = index.madeBy(value, "Mul");
  for (const input of mul?.inputs ?? []) {
    const factor = index.scalar(otherInput(mul!, input!));
    if (factor !== undefined) return { value: input!, factor };
  }
  const div = index.madeBy(value, "Div");
  const divisor = index.scalar(div?.inputs[1]);
  return divisor === undefined ? { value, factor: 1 } : { value: div!.inputs[0]!, factor: 1 / divisor };
}

/** True where a value is known to have four axes: by its type, or because a Transpose of four made it. */
function isRank4(value: Value, index: GraphIndex): boolean {
  const rank = value.type?.shape?.length;
  if (rank !== undefined) return rank === 4;
  const node = index.producer(value);
  if (node === undefined) return false;
  if (node.op === "Transpose") {
    const perm = node.attributes.get("perm");
    return perm?.kind === "ints" && perm.value.length === 4;
  }
  if (["Concat", "Add", "Mul", "Slice"].includes(node.op))
    return node.inputs.some((input) => input !== null && isRank4(input, index));
  return false;
}
