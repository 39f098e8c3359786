import { Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { inferResize, type ResizeAttributes, resizedAxisScalings, resizeTensor } from "./resize.js";

export interface UpsampleAttributes extends ResizeAttributes {
  /** Opset 7's attribute; null from opset 9 on, where scales is the second input. */
  readonly scales: readonly number[] | null;
}

/** ONNX Upsample (opset 7 and 9): nearest (rounding down) or linear interpolation at output index / scale. */
export const upsample: Operator<UpsampleAttributes> = {
  name: "Upsample",
  domain: "",
  attributes: (node) => {
    const mode = node.oneOf("mode", ["nearest", "linear", "bilinear"], "nearest");
    return {
      mode: mode === "nearest" ? mode : "linear",
      coordinateMode: "asymmetric",
      nearestMode: "floor",
      cubicCoefficient: -0.75,
      excludeOutside: false,
      antialias: false,
      axes: null,
      policy: "stretch",
      extrapolationValue: 0,
      roiAt: -1,
      scalesAt: 1,
      sizesAt: -1,
      scales: node.version < 9 ? node.floats("scales") : null,
    };
  },
  shapeInputs: [1],
  infer: (inputs, a) => {
    const { dtype, shape } = need(inputs, 0).type;
    const scales =
      a.scales === null
        ? need(inputs, 1)
        : {
            type: { dtype: "float32" as const, shape: [a.scales.length] },
            value: Tensor.from("float32", [a.scales.length], a.scales),
          };
    return [{ dtype, shape: inferResize(shape, scales, null, a) }];
  },
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const scales = a.scales ?? Array.from(need(inputs, 1).numbers());
    return [resizeTensor(x, resizedAxisScalings(x.shape, scales, null, null, a), a)];
  },
};
