import { broadcastShapes } from "../../tensor/index.js";
import { broadcastValues, type Element, type Elements, elementsOf, tensorOf } from "../elementwise.js";
import { broadcastTypes, expectDtype, need, sameDtype } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX Where: x where the bool condition holds, y elsewhere; all three broadcast, x and y of one dtype, any. */
export const where: Operator<null> = {
  name: "Where",
  domain: "",
  attributes: () => null,
  infer: (inputs) => {
    const [condition, x, y] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
    expectDtype(condition.type.dtype, ["bool"]);
    return [broadcastTypes([condition, x, y], sameDtype([x.type, y.type]))];
  },
  evaluate: (inputs) => {
    const [condition, x, y] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
    const dtype = sameDtype([x, y]);
    const shape = broadcastShapes(condition.shape, x.shape, y.shape);
    const chosen = broadcastValues(condition.numbers(), condition.shape, shape);
    const whenFalse = broadcastValues(elementsOf(y), y.shape, shape);
    const whenTrue = broadcastValues(elementsOf(x), x.shape, shape);
    const result = (whenTrue as Element[]).slice(); // an array of its own kind
    for (let i = 0; i < result.length; i++) if (!chosen[i]) result[i] = whenFalse[i]!;
    return [tensorOf(dtype, shape, result as unknown as Elements)];
  },
};
