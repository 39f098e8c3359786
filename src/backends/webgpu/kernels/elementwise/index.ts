import { broadcastStrides, sizeOf, stridesOf } from "../../../../tensor/index.js";
import { type ElementwiseSpec, elementwiseCost, elementwiseSpec } from "../../../specs/elementwise/spec.js";
import { collapse } from "../../../specs/walk.js";
import { anyKernel, type Kernel } from "../../kernel.js";
import { linear } from "../../wgsl/index.js";
import { walkValues } from "../walk.js";
import { elementwiseCode, type Reach, WORKGROUP } from "./code.js";

/** A chain of elementwise operators, or one alone, as one shader: each input is read once, each output written once. */
const elementwise: Kernel<ElementwiseSpec, null> = {
  name: "elementwise",
  match(node, at) {
    const spec = elementwiseSpec(node, at);
    const most = at.device.limits.maxStorageBuffersPerShaderStage;
    return spec !== null && spec.inputs.length + spec.program.outputs.length <= most ? spec : null;
  },
  schedules: () => [null],
  lower({ program, shape, inputs }, _, node, to) {
    const count = sizeOf(shape);
    const walk = collapse({
      dims: shape,
      strides: [...inputs.map((input) => broadcastStrides(input.shape, shape)), stridesOf(shape)],
    });
    const reads = walk.strides.slice(0, -1);
    const bindings = {
      ...Object.fromEntries(inputs.map(({ value }, i) => [`x${i}`, to.buffer(value)])),
      ...Object.fromEntries(node.outputs.map((value, i) => [`y${i}`, to.buffer(value!)])),
    };
    const grid = linear(Math.ceil(count / 4), WORKGROUP);
    if (walk.dims.length === 1) {
      const reach = inputs.map(({ shape }): Reach => (sizeOf(shape) === count ? "row" : "one"));
      to.launch(elementwiseCode(program, reach, 0), bindings, { count }, grid);
      return;
    }
    const rows = walk.dims.at(-1)! % 4 === 0;
    const reach = reads.map((strides): Reach => {
      if (!rows) return "walk";
      if (strides.at(-1) === 0) return "one";
      return strides.at(-1) === 1 && strides.slice(0, -1).every((stride) => stride % 4 === 0) ? "row" : "walk";
    });
    const uniforms = { count, ...walkValues({ dims: walk.dims, strides: reads }) };
    to.launch(elementwiseCode(program, reach, walk.dims.length), bindings, uniforms, grid);
  },
  cost: elementwiseCost,
};

export const elementwiseKernel: Kernel = anyKernel(elementwise);
