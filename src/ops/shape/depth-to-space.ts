import type { Dim } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { mapDim, multiplyDims } from "./dims.js";
import { permute } from "./move.js";

interface DepthToSpaceAttributes {
  readonly block: number;
  /** Depth-column-row or, from opset 11, column-row-depth: whether the block is the outer or the inner part of the channels. */
  readonly mode: "DCR" | "CRD";
}

/** ONNX DepthToSpace: [N, C, H, W] to [N, C / b², H·b, W·b]; channels become b × b blocks of pixels. */
export const depthToSpace: Operator<DepthToSpaceAttributes> = {
  name: "DepthToSpace",
  domain: "",
  attributes(node) {
    const block = node.int("blocksize");
    if (block < 1) node.fail("blocksize", `${block} is not positive`);
    return { block, mode: node.oneOf("mode", ["DCR", "CRD"], "DCR") };
  },
  infer(inputs, { block }) {
    const { dtype, shape } = need(inputs, 0).type;
    return [{ dtype, shape: shape === null ? null : spread(shape, block) }];
  },
  evaluate(inputs, { block, mode }) {
    const x = need(inputs, 0);
    const shape = spread(x.shape, block) as number[];
    const [batch, channels] = shape as [number, number];
    const [height, width] = x.shape.slice(2) as [number, number];
    const split =
      mode === "DCR" ? [batch, block, block, channels, height, width] : [batch, channels, block, block, height, width];
    const perm = mode === "DCR" ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
    return [permute(x.reshape(split), perm).reshape(shape)];
  },
};

function spread(shape: readonly Dim[], block: number): Dim[] {
  const [batch, channels, height, width] = shape as [Dim, Dim, Dim, Dim];
  const fits = shape.length === 4 && (typeof channels === "string" || channels % (block * block) === 0);
  if (!fits) throw new NonzeroError("shape", `[${shape}] has no channels in ${block} × ${block} blocks`);
  return [
    batch,
    mapDim(channels, (c) => c / (block * block)),
    multiplyDims([height, block]),
    multiplyDims([width, block]),
  ];
}
