import { is64BitInteger, type Tensor } from "../../tensor/index.js";
import { mapElements } from "../elementwise.js";
import { expectDtype, need, sameDtype } from "../infer.js";
import type { Operator } from "../operator.js";
import { isNumeric } from "./dtypes.js";

/** Bounds that are attributes (before opset 11), or null where they are inputs. */
type Bounds = { min: number; max: number } | null;

const FLOAT32_MAX = 3.4028234663852886e38;

/**
 * ONNX Clip: x held to [min, max], of a numeric tensor; max where min > max. The bounds are scalar inputs of x's dtype, both
 * optional (attributes before opset 11).
 */
export const clip: Operator<Bounds> = {
  name: "Clip",
  domain: "",
  attributes: (node) =>
    node.version < 11 ? { min: node.float("min", -FLOAT32_MAX), max: node.float("max", FLOAT32_MAX) } : null,
  infer: (inputs) => {
    const { type } = need(inputs, 0);
    expectDtype(type.dtype, isNumeric);
    sameDtype(inputs.filter((input) => input != null).map((input) => input.type));
    return [type];
  },
  evaluate: (inputs, bounds) => {
    const x = need(inputs, 0);
    const [min, max] = bounds === null ? [inputs[1] ?? null, inputs[2] ?? null] : [null, null];
    const low = bounds?.min ?? min?.item() ?? Number.NEGATIVE_INFINITY;
    const high = bounds?.max ?? max?.item() ?? Number.POSITIVE_INFINITY;
    const [exactLow, exactHigh] = is64BitInteger(x.dtype) ? [exact(min), exact(max)] : [null, null];
    const clipped = mapElements(x, {
      number: (v) => Math.min(high, Math.max(low, v)),
      bigint: (v) => {
        const raised = exactLow !== null && v < exactLow ? exactLow : v;
        return exactHigh !== null && raised > exactHigh ? exactHigh : raised;
      },
    });
    return [clipped];
  },
};

const exact = (bound: Tensor | null): bigint | null => bound?.bigints()[0] ?? null;
