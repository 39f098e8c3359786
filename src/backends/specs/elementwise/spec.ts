import type { Graph, Node, Value } from "../../../graph/index.js";
import type { ElementwiseAttributes } from "../../../ops/fused/elementwise.js";
import { attributesFor, operatorKey, operators } from "../../../ops/index.js";
import { broadcastShapes, sizeOf, Tensor } from "../../../tensor/index.js";
import type { Cost, NodeContext } from "../node.js";
import { bytesOf, isLaneType, type LaneType } from "./lanes.js";
import { isSlotOf, type Program, programOf, typeOfSlot } from "./program.js";
import { RULES } from "./rules.js";
import { operationsOf } from "./weights.js";

const FUSED = "ai.nonzero::Elementwise";

export interface ElementwiseSpec {
  readonly program: Program;
  /** The shape of the outputs. */
  readonly shape: readonly number[];
  /** The values that the program reads, and their shapes. */
  readonly inputs: readonly { readonly value: Value; readonly shape: readonly number[] }[];
}

/** The loop that an elementwise operator, or a fused chain of them, stands for; null where its types have no lanes. */
export function elementwiseSpec(node: Node, at: NodeContext): ElementwiseSpec | null {
  if (operatorKey(node) !== FUSED && !RULES.has(operatorKey(node))) return null;
  const found = programOfNode(node, at);
  if (found === null) return null;
  const shape = at.type(node.outputs[0]!).shape;
  const same = node.outputs.every((output, i) => {
    if (output === null) return true;
    const type = at.type(output);
    return type.shape.join() === shape.join() && isSlotOf(found.program, i, type.dtype);
  });
  const inputs = found.values.map((value) => ({ value, shape: at.type(value).shape }));
  const whole = broadcastShapes(...inputs.map((input) => input.shape), shape).join() === shape.join();
  return same && whole && !node.outputs.includes(null) ? { program: found.program, shape, inputs } : null;
}

export function elementwiseCost({ program, shape, inputs }: ElementwiseSpec): Cost {
  const size = sizeOf(shape);
  const read = inputs.reduce((sum, input, i) => sum + sizeOf(input.shape) * bytesOf(program.inputs[i]!), 0);
  const written = program.outputs.reduce((sum, slot) => sum + size * bytesOf(typeOfSlot(program, slot)), 0);
  const operations = program.steps.reduce((sum, { op }) => sum + operationsOf(op), 0);
  return { multiplyAdds: size * operations, bytes: read + written };
}

/** What a node computes: its fused body, or itself. */
function bodyOf(node: Node): Pick<Graph, "inputs" | "nodes" | "outputs" | "constants"> {
  if (operatorKey(node) === FUSED) return (attributesFor(node, operators.get(FUSED)!) as ElementwiseAttributes).body;
  const inputs = [...new Set(node.inputs)].filter((value) => value !== null);
  return { inputs, nodes: [node], outputs: node.outputs.filter((value) => value !== null), constants: new Map() };
}

/** The node's program, and the values that it reads. Constant exponents become part of the code, which is better for them. */
function programOfNode(node: Node, at: NodeContext): { program: Program; values: Value[] } | null {
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
