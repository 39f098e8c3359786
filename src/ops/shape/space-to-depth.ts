import type { Dim } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { mapDim, multiplyDims } from "./dims.js";
import { permute } from "./move.js";

interface SpaceToDepthAttributes {
  readonly block: number;
}

/** ONNX SpaceToDepth: [N, C, H, W] to [N, C·b², H / b, W / b]; b × b blocks of pixels become channels, block positions outermost. */
export const spaceToDepth: Operator<SpaceToDepthAttributes> = {
  name: "SpaceToDepth",
  domain: "",
  attributes(node) {
    const block = node.int("blocksize");
    if (block < 1) node.fail("blocksize", `${block} is not positive`);
    return { block };
  },
  infer(inputs, { block }) {
    const { dtype, shape } = need(inputs, 0).type;
    return [{ dtype, shape: shape === null ? null : gathered(shape, block) }];
  },
  evaluate(inputs, { block }) {
    const x = need(inputs, 0);
    const shape = gathered(x.shape, block) as number[];
    const [batch, , height, width] = shape as [number, number, number, number];
    const split = [batch, x.shape[1]!, height, block, width, block];
    return [permute(x.reshape(split), [0, 3, 5, 1, 2, 4]).reshape(shape)];
  },
};

function gathered(shape: readonly Dim[], block: number): Dim[] {
  const [batch, channels, height, width] = shape as [Dim, Dim, Dim, Dim];
  const divides = (dim: Dim): boolean => typeof dim === "string" || dim % block === 0;
  if (shape.length !== 4 || !divides(height) || !divides(width))
    throw new NonzeroError("shape", `[${shape}] has no pixels in ${block} × ${block} blocks`);
  const part = (dim: Dim): Dim => mapDim(dim, (d) => d / block);
  return [batch, multiplyDims([channels, block * block]), part(height), part(width)];
}
