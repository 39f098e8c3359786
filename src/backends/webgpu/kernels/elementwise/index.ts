import type { Node, Value } from "../../../../graph/index.js";
import { broadcastStrides, sizeOf, stridesOf } from "../../../../tensor/index.js";
import { type ElementwiseSpec, elementwiseCost, elementwiseSpec } from "../../../specs/elementwise/spec.js";
import type { NodeContext } from "../../../specs/node.js";
import { collapse } from "../../../specs/walk.js";
import { anyKernel, type Kernel } from "../../kernel.js";
import { type ElementName, isElementName, linear } from "../../wgsl/index.js";
import { asFloat32 } from "../floats.js";
import { walkValues } from "../walk.js";
import { elementwiseCode, type Reach, type StoredProgram, WORKGROUP } from "./code.js";
import { lanesOf, type Stored } from "./stored.js";

/** The context of a node whose dtypes are those of the lanes that they are computed in. */
function asLanes<C extends NodeContext>(at: C): C {
  const floats = asFloat32(at);
  return {
    ...floats,
    type(value: Value) {
      const type = floats.type(value);
      return isElementName(type.dtype) ? { ...type, dtype: lanesOf(type.dtype) } : type;
    },
  };
}

/** Steps that do to unsigned integers what they do to signed ones of the same bits, whether or not these are shifted by half their range. */
const BITWISE: readonly string[] = ["Identity", "Equal", "Where"];
/** Those that need them as they are. */
const WRAPPING: readonly string[] = ["Add", "Sub", "Mul"];
/** Those that need them shifted. */
const ORDERING: readonly string[] = [
  ...["Max", "Min", "AtLeast", "AtMost"],
  ...["Less", "LessOrEqual", "Greater", "GreaterOrEqual"],
];

/** How the program's values lie in memory; null where its lanes can't do what they are. */
function storedProgram({ program, inputs }: ElementwiseSpec, node: Node, at: NodeContext): StoredProgram | null {
  const dtypesOf = (values: readonly Value[]): ElementName[] =>
    values.map((value) => at.type(value).dtype as ElementName);
  const [read, written] = [dtypesOf(inputs.map(({ value }) => value)), dtypesOf(node.outputs as readonly Value[])];
  const all = [...read, ...written];
  const doesOnly = (names: readonly string[]): boolean =>
    program.steps.every(({ op }) => BITWISE.includes(op) || names.includes(op));
  const unsigned = all.includes("uint32") || all.includes("uint64");
  if (unsigned && !doesOnly(WRAPPING) && !doesOnly(ORDERING)) return null;
  const shifted = unsigned && !doesOnly(WRAPPING);
  const stored = (dtype: ElementName): Stored => ({ dtype, shifted });
  return { program, inputs: read.map(stored), outputs: written.map(stored) };
}

interface Spec extends ElementwiseSpec {
  readonly stored: StoredProgram;
}

/**
 * A chain of elementwise operators, or one alone, as one shader: each input is read once, each output written once. Between them floats are
 * float32, whatever they are in memory, and rounded where a Cast says so and when they are stored.
 */
const elementwise: Kernel<Spec, null> = {
  name: "elementwise",
  match(node, at) {
    const spec = elementwiseSpec(node, asLanes(at));
    const most = at.device.limits.maxStorageBuffersPerShaderStage;
    if (spec === null || spec.inputs.length + spec.program.outputs.length > most) return null;
    const stored = storedProgram(spec, node, at);
    return stored === null ? null : { ...spec, stored };
  },
  schedules: () => [null],
  lower({ stored, shape, inputs }, _, node, to) {
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
      to.launch(elementwiseCode(stored, reach, 0), bindings, { count }, grid);
      return;
    }
    const rows = walk.dims.at(-1)! % 4 === 0;
    const reach = reads.map((strides): Reach => {
      if (!rows) return "walk";
      if (strides.at(-1) === 0) return "one";
      return strides.at(-1) === 1 && strides.slice(0, -1).every((stride) => stride % 4 === 0) ? "row" : "walk";
    });
    const uniforms = { count, ...walkValues({ dims: walk.dims, strides: reads }) };
    to.launch(elementwiseCode(stored, reach, walk.dims.length), bindings, uniforms, grid);
  },
  cost: elementwiseCost,
};

export const elementwiseKernel: Kernel = anyKernel(elementwise);
