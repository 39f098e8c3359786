import type { Constant, Value } from "../../../graph/index.js";
import { type DataType, Tensor } from "../../../tensor/index.js";
import type { NodeContext } from "../../specs/node.js";
import { type FloatName, isFloatName } from "../wgsl/index.js";

/** Kernels for float32 that take other dtypes as well: they match a node as if its values were float32. */

/** Whether a dtype is a float of 16 bits. */
export const isShortFloat = (dtype: DataType): boolean => dtype !== "float32" && isFloatName(dtype);

const widened = new WeakMap<Tensor, Tensor>();

/** A constant's elements as float32, where they are shorter floats. */
function asFloats(constant: Constant | undefined): Constant | undefined {
  if (!(constant instanceof Tensor) || !isShortFloat(constant.dtype)) return constant;
  const tensor = widened.get(constant) ?? constant.to("float32");
  widened.set(constant, tensor);
  return tensor;
}

/** The context of a node whose floats of 16 bits are float32. */
export const asFloat32 = <C extends NodeContext>(at: C): C => ({
  ...at,
  type(value: Value) {
    const type = at.type(value);
    return isShortFloat(type.dtype) ? { ...type, dtype: "float32" } : type;
  },
  constant: (value: Value) => asFloats(at.constant(value)),
});

/** The context of a node whose `values`, of whatever dtype, are float32: for kernels whose text is the same for all numbers. */
export const asIfFloat32 = <C extends NodeContext>(at: C, values: readonly Value[]): C => ({
  ...at,
  type: (value: Value) => (values.includes(value) ? { ...at.type(value), dtype: "float32" } : at.type(value)),
});

/** What a float's elements are in memory. */
export const floatOf = (value: Value, at: NodeContext): FloatName => at.type(value).dtype as FloatName;
