import type { Node, Value } from "../../../../graph/index.js";
import type { DataType } from "../../../../tensor/index.js";
import { isFusible as isFusibleLoop } from "../../../specs/elementwise/program.js";
import { isShortFloat } from "../floats.js";

/** True where a fused loop can hold the node, whose values have these dtypes: as on other devices, and 16-bit floats too. */
export const isFusible = (node: Node, dtypeOf: (value: Value) => DataType | undefined): boolean =>
  isFusibleLoop(node, (value) => {
    const dtype = dtypeOf(value);
    return dtype !== undefined && isShortFloat(dtype) ? "float32" : dtype;
  });
