import type { Value } from "../../../../graph/index.js";
import { broadcastStrides, stridesOf } from "../../../../tensor/index.js";
import { bytesOf, type LaneType } from "../../../specs/elementwise/lanes.js";
import type { Program } from "../../../specs/elementwise/program.js";
import { type ElementwiseSpec, elementwiseCost, elementwiseSpec } from "../../../specs/elementwise/spec.js";
import { collapse } from "../../../specs/walk.js";
import { type Argument, anyKernel, type Kernel } from "../../kernel.js";
import { perChunk, rowArguments } from "../rows.js";
import { type Access, flatCode, rowCode } from "./code.js";

/** A chain of elementwise operators, or one alone, as one loop: each input is read once, each output written once. */
const elementwise: Kernel<ElementwiseSpec, null> = {
  name: "elementwise",
  match: elementwiseSpec,
  schedules: () => [null],
  lower({ program, shape, inputs }, _, node, to) {
    const strides = inputs.map((input) => broadcastStrides(input.shape, shape));
    const walk = collapse({ dims: shape, strides: [...strides, ...node.outputs.map(() => stridesOf(shape))] });
    const access = inputs.map((_, i): Access => (walk.strides[i]!.at(-1) === 0 ? "scalar" : "vector"));
    const types = [...program.inputs, ...node.outputs.map((output) => at(output!))];
    const buffers: Argument[] = [...inputs.map(({ value }) => value), ...node.outputs].map((v) => to.buffer(v!));
    const elementBytes = types.reduce((sum, dtype) => sum + bytesOf(dtype), 0);
    const rank = walk.dims.length;
    if (rank === 1) {
      const total = walk.dims[0]!;
      const each = perChunk(elementBytes * weight(program), 64);
      to.launch(flatCode(program, access), [total, each, ...buffers], Math.ceil(total / each));
      return;
    }
    const places = types.map((dtype, i) => ({ at: buffers[i] as never, bytes: bytesOf(dtype) }));
    const { args, chunks } = rowArguments(walk, places, walk.dims.at(-1)! * elementBytes * weight(program));
    to.launch(rowCode(program, access, rank), args, chunks);

    function at(value: Value): LaneType {
      return to.type(value).dtype as LaneType;
    }
  },
  cost: elementwiseCost,
};

/** Long programs compute more on each byte: their chunks are smaller. */
const weight = (program: Program): number => Math.max(1, program.steps.length / 4);

export const elementwiseKernel: Kernel = anyKernel(elementwise);
