import type { Node, Value } from "../../../../graph/index.js";
import type { ElementwiseAttributes } from "../../../../ops/fused/elementwise.js";
import { attributesFor, operatorKey, operators } from "../../../../ops/index.js";
import { broadcastShapes, broadcastStrides, sizeOf, stridesOf, Tensor } from "../../../../tensor/index.js";
import { type Argument, anyKernel, type Kernel, type MatchContext } from "../../kernel.js";
import { collapse, perChunk, rowArguments } from "../rows.js";
import { type Access, flatCode, rowCode } from "./code.js";
import { bytesOf, isLaneType, type LaneType } from "./lanes.js";
import { type Program, programOfGraph, programOfNode } from "./program.js";
import { RULES } from "./rules.js";

const FUSED = "ai.nonzero::Elementwise";

export interface ElementwiseSpec {
  readonly program: Program;
  /** The shape of the outputs. */
  readonly shape: readonly number[];
  /** The values that the program reads, and their shapes. */
  readonly inputs: readonly { readonly value: Value; readonly shape: readonly number[] }[];
}

/** A chain of elementwise operators, or one alone, as one loop: each input is read once, each output written once. */
const elementwise: Kernel<ElementwiseSpec, null> = {
  name: "elementwise",
  match(node, at) {
    const fused = operatorKey(node) === FUSED;
    if (!fused && !RULES.has(operatorKey(node))) return null;
    const found = fused ? fusedProgram(node, at) : nodeProgram(node, at);
    if (found === null) return null;
    const shape = at.type(node.outputs[0]!).shape;
    const same = node.outputs.every((output) => output === null || at.type(output).shape.join() === shape.join());
    const inputs = found.values.map((value) => ({ value, shape: at.type(value).shape }));
    const whole = broadcastShapes(...inputs.map((input) => input.shape), shape).join() === shape.join();
    return same && whole && !node.outputs.includes(null) ? { program: found.program, shape, inputs } : null;
  },
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
  cost({ program, shape, inputs }) {
    const size = sizeOf(shape);
    const read = inputs.reduce((sum, input, i) => sum + sizeOf(input.shape) * bytesOf(program.inputs[i]!), 0);
    return { multiplyAdds: size * program.steps.length, bytes: read + 4 * size * program.outputs.length };
  },
};

/** Long programs compute more on each byte: their chunks are smaller. */
const weight = (program: Program): number => Math.max(1, program.steps.length / 4);

function fusedProgram(node: Node, at: MatchContext): { program: Program; values: Value[] } | null {
  const { body } = attributesFor(node, operators.get(FUSED)!) as ElementwiseAttributes;
  const values = node.inputs as Value[];
  const dtypes = values.map((value) => at.type(value).dtype);
  if (!dtypes.every(isLaneType)) return null;
  const program = programOfGraph(body, dtypes);
  return program === null ? null : { program, values };
}

/** Scalar constants become part of the code where that makes it better, and arguments otherwise. */
function nodeProgram(node: Node, at: MatchContext): { program: Program; values: Value[] } | null {
  const exponent = node.op === "Pow" ? node.inputs[1]! : null;
  const scalars = new Map<Value, Tensor>();
  if (exponent !== null) {
    const constant = at.constant(exponent);
    if (constant instanceof Tensor && constant.size === 1) scalars.set(exponent, constant);
  }
  const given = [...new Set(node.inputs)].filter((value): value is Value => value !== null && !scalars.has(value));
  const values: { value: Value; dtype: LaneType }[] = [];
  for (const value of given) {
    const { dtype } = at.type(value);
    if (!isLaneType(dtype)) return null;
    values.push({ value, dtype });
  }
  const program = programOfNode(node, values, scalars);
  return program === null ? null : { program, values: given };
}

export const elementwiseKernel: Kernel = anyKernel(elementwise);
