import type { Constant } from "../graph/index.js";
import { SparseTensor } from "../layouts/index.js";
import type { Tensor } from "../tensor/index.js";
import type { Specialized } from "./specialize.js";

const unpacked = new WeakMap<SparseTensor, Tensor>();

/** Quantized weights that leave nothing out (layouts `dense` and `dense:gG`) as floats, once each, for a device that has no kernels for them. */
export function unpackQuantized(spec: Specialized): Specialized {
  const constants = new Map([...spec.constants].map(([value, constant]) => [value, plain(constant)]));
  return { ...spec, constants };
}

function plain(constant: Constant): Constant {
  if (!(constant instanceof SparseTensor) || !/^dense(:|$)/.test(constant.stored.layout)) return constant;
  const tensor = unpacked.get(constant) ?? constant.toDense();
  unpacked.set(constant, tensor);
  return tensor;
}
