import { sizeOf, Tensor } from "../../tensor/index.js";
import { intsOf, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { checkShape, shapeOfLength } from "./dims.js";
import { fromSlots, newSlots, slotsOf } from "./move.js";

interface ConstantOfShapeAttributes {
  /** One element; float32 0 by default. */
  readonly value: Tensor;
}

/** ONNX ConstantOfShape: a tensor of the shape in the input, full of one value. */
export const constantOfShape: Operator<ConstantOfShapeAttributes> = {
  name: "ConstantOfShape",
  domain: "",
  shapeInputs: [0],
  attributes(node) {
    const value = node.optional("value", "tensor") ?? Tensor.scalar("float32", 0);
    if (value.size !== 1) node.fail("value", `expected one element, found shape [${value.shape}]`);
    return { value };
  },
  infer(inputs, { value }) {
    const shape = knownInts(need(inputs, 0));
    return [{ dtype: value.dtype, shape: shape ? checkShape(shape) : shapeOfLength(need(inputs, 0)) }];
  },
  evaluate(inputs, { value }) {
    const shape = checkShape(intsOf(need(inputs, 0)));
    const slots = newSlots(value.dtype, sizeOf(shape));
    return [fromSlots(value.dtype, shape, slots.fill(slotsOf(value)[0]!))];
  },
};
