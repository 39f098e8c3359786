import type { Graph, Node, Value } from "../../../../graph/index.js";
import type { ElementwiseAttributes } from "../../../../ops/fused/elementwise.js";
import { attributesFor, operatorKey, operators } from "../../../../ops/index.js";
import { broadcastShapes, broadcastStrides, sizeOf, stridesOf, Tensor } from "../../../../tensor/index.js";
import { type Argument, anyKernel, type Kernel, type MatchContext } from "../../kernel.js";
import { collapse, perChunk, rowArguments } from "../rows.js";
import { type Access, flatCode, rowCode } from "./code.js";
import { bytesOf, isLaneType, type LaneType } from "./lanes.js";
import { type Program, programOf } from "./program.js";
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
    if (operatorKey(node) !== FUSED && !RULES.has(operatorKey(node))) return null;
    const found = programOfNode(node, at);
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

/** What a node computes: its fused body, or itself. */
function bodyOf(node: Node): Pick<Graph, "inputs" | "nodes" | "outputs" | "constants"> {
  if (operatorKey(node) === FUSED) return (attributesFor(node, operators.get(FUSED)!) as ElementwiseAttributes).body;
  const inputs = [...new Set(node.inputs)].filter((value) => value !== null);
  return { inputs, nodes: [node], outputs: node.outputs.filter((value) => value !== null), constants: new Map() };
}

/** The node's program, and the values that it reads. Constant exponents become part of the code, which is better for them. */
function programOfNode(node: Node, at: MatchContext): { program: Program; values: Value[] } | null {
  const body = bodyOf(node);
  const outer = operatorKey(node) === FUSED ? (node.inputs as readonly Value[]) : body.inputs;
  const exponents = new Set(body.nodes.filter(({ op }) => op === "Pow").map(({ inputs }) => inputs[1]));
  const scalars = new Map<Value, unknown>(body.constants);
  const inputs: { value: Value; dtype: LaneType }[] = [];
  const values: Value[] = [];
  for (const [i, value] of outer.entries()) {
    const inner = body.inputs[i]!;
    const constant = at.constant(value);
    if (exponents.has(inner) && constant instanceof Tensor && constant.size === 1) {
      scalars.set(inner, constant);
      continue;
    }
    const { dtype } = at.type(value);
    if (!isLaneType(dtype)) return null;
    inputs.push({ value: inner, dtype });
    values.push(value);
  }
  const program = programOf(body.nodes, inputs, scalars, body.outputs);
  return program === null ? null : { program, values };
}

export const elementwiseKernel: Kernel = anyKernel(elementwise);
