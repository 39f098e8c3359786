import type { Node, Value } from "../../graph/index.js";
import { attributesFor, operatorOf, operators } from "../../ops/index.js";
import { permOf } from "./renames.js";
import type { StepGraph } from "./step-graph.js";

/** Elements start, start + step, … (`size` of them) of each last axis of `source`. */
export interface LastAxisView {
  readonly source: Value;
  readonly start: number;
  readonly step: number;
  readonly size: number;
}

const lastDim = (value: Value, graph: StepGraph): number => graph.shape(value).at(-1) ?? 1;

/** What a value is of the tensor that Slices and Splits along the last axis cut it from; of itself all. */
export function viewOf(value: Value, graph: StepGraph): LastAxisView {
  const size = lastDim(value, graph);
  const node = graph.producer(value);
  const cut = node === undefined ? null : (sliceOf(node, graph) ?? splitOf(node, value, graph));
  if (cut === null) return { source: value, start: 0, step: 1, size };
  const outer = viewOf(node!.inputs[0]!, graph);
  return { source: outer.source, start: outer.start + cut.start * outer.step, step: outer.step * cut.step, size };
}

/** A Slice of the last axis alone, forwards, with constant bounds. */
function sliceOf(node: Node, graph: StepGraph): { start: number; step: number } | null {
  if (node.op !== "Slice" || node.domain !== "" || node.version < 10) return null;
  const input = node.inputs[0]!;
  const rank = graph.shape(input).length;
  const starts = graph.ints(node.inputs[1]);
  const axes = node.inputs[3] ? graph.ints(node.inputs[3]) : [0];
  const steps = node.inputs[4] ? graph.ints(node.inputs[4]) : [1];
  if (starts?.length !== 1 || axes === undefined || steps === undefined || steps[0]! < 1) return null;
  if (axes[0] !== rank - 1 && axes[0] !== -1) return null;
  const dim = lastDim(input, graph);
  const start = starts[0]! < 0 ? starts[0]! + dim : starts[0]!;
  return { start: Math.min(Math.max(start, 0), dim), step: steps[0]! };
}

function splitOf(node: Node, value: Value, graph: StepGraph): { start: number; step: number } | null {
  if (node.op !== "Split" || node.domain !== "") return null;
  const { axis } = attributesFor(node, operatorOf(node, operators)) as { axis: number };
  if (axis !== -1 && axis !== graph.shape(node.inputs[0]!).length - 1) return null;
  let start = 0;
  for (const output of node.outputs) {
    if (output === value) return { start, step: 1 };
    if (output === null) return null;
    start += lastDim(output, graph);
  }
  return null;
}

/** Parts of a Concat along the last axis. */
export function lastAxisParts(value: Value | null | undefined, graph: StepGraph): readonly Value[] | null {
  const node = graph.madeBy(value, "Concat");
  if (node === undefined) return null;
  const axis = node.attributes.get("axis")?.value;
  if (axis !== -1 && axis !== graph.shape(node.outputs[0]!).length - 1) return null;
  return node.inputs as readonly Value[];
}

/** How the second half of the elements repeats the first: as halves (a b a b) or each beside its like (a a b b). */
export type Repetition = "halves" | "pairs";

/**
 * True where along the last axis (an even number of elements) every element is there twice: seen in a constant, or in how it is
 * made, as Concat(f, f) and what leaves the last axis in order after it.
 */
export function repeats(value: Value, how: Repetition, graph: StepGraph): boolean {
  const tensor = graph.tensor(value);
  const size = lastDim(value, graph);
  if (tensor !== undefined) {
    const numbers = tensor.numbers();
    const half = size / 2;
    const [apart, step] = how === "halves" ? [half, 1] : [1, 2];
    for (let row = 0; row < numbers.length; row += size) {
      for (let i = 0; i < half; i++) if (numbers[row + i * step] !== numbers[row + i * step + apart]) return false;
    }
    return true;
  }
  const node = graph.producer(value);
  if (node === undefined || node.domain !== "") return false;
  const [input] = node.inputs;
  switch (node.op) {
    case "Concat": {
      const parts = lastAxisParts(value, graph);
      return how === "halves" && parts?.length === 2 && parts[0] === parts[1];
    }
    case "Reshape": {
      if (lastDim(input!, graph) === size) return repeats(input!, how, graph);
      // [..., n, 2] of Concat(f [..., n, 1], f) as [..., 2n].
      const parts = lastDim(input!, graph) === 2 ? lastAxisParts(input, graph) : null;
      return how === "pairs" && parts?.length === 2 && parts[0] === parts[1];
    }
    case "Cos":
    case "Sin":
    case "Cast":
      return repeats(input!, how, graph);
    case "Mul":
    case "Div": {
      const [a, b] = node.inputs as [Value, Value];
      if (graph.scalar(b) !== undefined && lastDim(a, graph) === size) return repeats(a, how, graph);
      return node.op === "Mul" && graph.scalar(a) !== undefined && repeats(b, how, graph);
    }
    case "Gather": {
      const axis = Number(node.attributes.get("axis")?.value ?? 0);
      const rank = graph.shape(input!).length;
      return axis >= 0 && axis < rank - 1 && repeats(input!, how, graph);
    }
    case "Transpose": {
      const rank = graph.shape(input!).length;
      return permOf(node, rank).at(-1) === rank - 1 && repeats(input!, how, graph);
    }
    case "Slice": {
      const axes = graph.ints(node.inputs[3]);
      const rank = graph.shape(input!).length;
      return axes?.every((axis) => axis >= 0 && axis < rank - 1) === true && repeats(input!, how, graph);
    }
    default:
      return false;
  }
}
