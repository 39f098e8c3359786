import { broadcastShapes, isInteger, NonzeroError } from "../../tensor/index.js";
import { combineElements } from "../elementwise.js";
import { broadcastDims, expectDtype, isConcrete, need, sameDtype } from "../infer.js";
import type { Operator } from "../operator.js";
import { isNumeric } from "./dtypes.js";

const checkBroadcast = (x: readonly number[], both: readonly number[]): void => {
  if (x.length !== both.length || x.some((dim, axis) => dim !== both[axis])) {
    throw new NonzeroError("shape", `the slope does not broadcast to the input's shape [${x}]`);
  }
};

/** ONNX PRelu: x where x ≥ 0, slope · x elsewhere, of a numeric tensor; slope has its dtype and broadcasts to its shape. */
export const prelu: Operator<null> = {
  name: "PRelu",
  domain: "",
  attributes: () => null,
  infer: (inputs) => {
    const [x, slope] = [need(inputs, 0).type, need(inputs, 1).type];
    expectDtype(sameDtype([x, slope]), isNumeric);
    if (isConcrete(x.shape) && isConcrete(slope.shape)) {
      checkBroadcast(x.shape, broadcastDims(x.shape, slope.shape) as number[]);
    }
    return [x];
  },
  evaluate: (inputs) => {
    const [x, slope] = [need(inputs, 0), need(inputs, 1)];
    checkBroadcast(x.shape, broadcastShapes(x.shape, slope.shape));
    const times = isInteger(sameDtype([x, slope])) ? Math.imul : (a: number, b: number) => a * b;
    return [
      combineElements(x, slope, {
        number: (v, s) => (v < 0 ? times(v, s) : v),
        bigint: (v, s) => (v < 0n ? v * s : v),
      }),
    ];
  },
};
