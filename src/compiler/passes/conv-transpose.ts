import { attributesOf, type Node, Value } from "../../graph/index.js";
import { attributesFor, operatorOf, operators } from "../../ops/index.js";
import type { ConvTransposeAttributes } from "../../ops/nn/conv-transpose.js";
import { Tensor } from "../../tensor/index.js";
import type { Pass } from "../pass.js";
import { rewrite } from "../rewrite.js";

/**
 * Turns a ConvTranspose whose windows tile the result (kernel = strides, the same along both axes, no padding, one group, a dense
 * constant weight) into what it is: a Conv of 1×1 that makes each pixel's block as channels, and DepthToSpace, which lays
 * the blocks out.
 */
export const blocksForConvTranspose: Pass = {
  name: "blocks-for-conv-transpose",
  run: (graph) =>
    rewrite(graph, (node, index) => {
      if (node.op !== "ConvTranspose" || node.domain !== "") return null;
      const [x, w, b] = node.inputs;
      const weight = index.tensor(w);
      const bias = b ? index.tensor(b) : null;
      if (!x || weight?.dtype !== "float32" || weight.shape.length !== 4 || bias === undefined) return null;
      const [inputs, outputs, block, width] = weight.shape as [number, number, number, number];
      if (block !== width || !tiles(node, block)) return null;
      const channels = outputs * block * block;
      const from = weight.numbers();
      const values = new Float32Array(weight.size);
      for (let c = 0; c < inputs; c++) {
        for (let o = 0; o < channels; o++) values[o * inputs + c] = from[c * channels + o]!;
      }
      const operands = [
        x,
        index.addConstant(new Tensor("float32", [channels, inputs, 1, 1], values), `${w!.name}/blocks`),
      ];
      if (bias !== null) {
        const numbers = bias.numbers();
        const repeated = Float32Array.from({ length: channels }, (_, o) => numbers[Math.floor(o / (block * block))]!);
        operands.push(index.addConstant(new Tensor("float32", [channels], repeated), `${b!.name}/blocks`));
      }
      const blocks = new Value(`${node.name}/blocks`);
      const depthToSpace = attributesOf({ blocksize: block, mode: "CRD" });
      return [
        made("Conv", `${node.name}/blocks`, operands, [blocks], attributesOf({ kernel_shape: [1, 1] })),
        made("DepthToSpace", node.name, [blocks], node.outputs, depthToSpace),
      ];
    }),
};

const made = (
  op: string,
  name: string,
  inputs: Node["inputs"],
  outputs: Node["outputs"],
  attributes: Node["attributes"],
): Node => ({ op, domain: "", version: 13, name, inputs, outputs, attributes });

/** True where windows of `block` lie side by side and cover the result. */
function tiles(node: Node, block: number): boolean {
  const a = attributesFor(node, operatorOf(node, operators)) as ConvTransposeAttributes;
  const all = (list: readonly number[] | null, value: number): boolean => list === null || isAll(list, value);
  const plain = a.autoPad === "NOTSET" && a.group === 1 && a.outputShape === null;
  return (
    plain && block > 1 && isAll(a.strides, block) && all(a.dilations, 1) && all(a.pads, 0) && all(a.outputPadding, 0)
  );
}

const isAll = (list: readonly number[] | null, value: number): boolean =>
  list?.every((element) => element === value) === true;
