import { broadcastShapes, broadcastStrides } from "../../tensor/index.js";
import { offsetsOf } from "../elementwise.js";
import { broadcastDims, intsOf, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { checkShape, listLength, unknownDims } from "./dims.js";
import { pick } from "./move.js";

/** ONNX Expand: the input repeated to the broadcast of its shape and the shape in input 1 (which may hold ones where the input is longer). */
export const expand: Operator<null> = {
  name: "Expand",
  domain: "",
  shapeInputs: [1],
  attributes: () => null,
  infer(inputs) {
    const { dtype, shape } = need(inputs, 0).type;
    const target = knownInts(need(inputs, 1));
    if (target !== undefined) return [{ dtype, shape: broadcastDims(shape, checkShape(target)) }];
    const rank = listLength(need(inputs, 1));
    if (shape === null || rank === undefined) return [{ dtype, shape: null }];
    return [{ dtype, shape: unknownDims(Math.max(rank, shape.length)) }];
  },
  evaluate(inputs) {
    const x = need(inputs, 0);
    const shape = checkShape(broadcastShapes(x.shape, intsOf(need(inputs, 1))));
    return [pick(x, shape, offsetsOf(shape, broadcastStrides(x.shape, shape)))];
  },
};
