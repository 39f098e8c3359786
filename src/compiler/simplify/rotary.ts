import type { Node, Value } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import { lastAxisParts, type Repetition, repeats, viewOf } from "./last-axis.js";
import { permOf, same } from "./renames.js";
import { isClosed, type StepGraph, type StepRule } from "./step-graph.js";

/**
 * Recognizes rotary position embedding (https://arxiv.org/abs/2104.09864) spelled in primitives:
 *
 *     x · cos + rotated(x) · sin
 *
 * where rotated(x) is Concat(-x₂, x₁) of the halves of each head vector, or of its even and odd elements pair by pair. x is
 * [batch, heads, rows, size] or [batch, rows, heads, size], as cos and sin broadcast against it. It becomes ONNX's RotaryEmbedding
 * (opset 23), and so does the whole vector where only its first elements are rotated: Concat(rotary(x[:r]), x[r:]).
 */
export const recognizeRotary: StepRule = (node, graph) => {
  if (node.domain !== "") return null;
  if (node.op === "Add") return wholeRotary(node, graph);
  return node.op === "Concat" ? partialRotary(node, graph) : null;
};

/** A multiplication's operands, either way. */
const bothWays = (node: Node): (readonly [Value, Value])[] => {
  const [a, b] = node.inputs as [Value, Value];
  return [
    [a, b],
    [b, a],
  ];
};

function wholeRotary(add: Node, graph: StepGraph): Node[] | null {
  const output = add.outputs[0]!;
  if (graph.shape(output).length !== 4 || graph.type(output).dtype !== "float32") return null;
  for (const [plain, turned] of bothWays(add)) {
    const [plainMul, turnedMul] = [graph.madeBy(plain, "Mul"), graph.madeBy(turned, "Mul")];
    if (plainMul === undefined || turnedMul === undefined) continue;
    for (const [rotated, sin] of bothWays(turnedMul)) {
      for (const [x, cos] of bothWays(plainMul)) {
        const how = rotationOf(rotated, x, graph);
        if (how === null || !same(graph.shape(x), graph.shape(output))) continue;
        const made = rotaryOf(add, { x, cos, sin, rotated, how }, graph);
        if (made !== null) return made;
      }
    }
  }
  return null;
}

/** How `rotated` turns x's elements in pairs: (x₁, x₂) to (-x₂, x₁). */
function rotationOf(rotated: Value, x: Value, graph: StepGraph): Repetition | null {
  const whole = viewOf(x, graph);
  if (whole.step !== 1 || whole.size % 2 !== 0 || !same(graph.shape(rotated), graph.shape(x))) return null;
  const half = whole.size / 2;
  const isView = (part: { value: Value; negated: boolean } | null, negated: boolean, start: number, step: number) => {
    if (part === null || part.negated !== negated) return false;
    const view = viewOf(part.value, graph);
    const starts = view.source === whole.source && view.start === whole.start + start;
    return starts && view.size === half && (view.step === step || half === 1);
  };
  const halves = lastAxisParts(rotated, graph);
  if (halves?.length === 2) {
    const [first, second] = halves.map((part) => signed(part, half, graph));
    return isView(first!, true, half, 1) && isView(second!, false, 0, 1) ? "halves" : null;
  }
  const reshape = graph.madeBy(rotated, "Reshape");
  const pairs = lastAxisParts(reshape?.inputs[0], graph);
  if (pairs?.length !== 2 || pairs.some((part) => graph.shape(part).at(-1) !== 1)) return null;
  const [first, second] = pairs.map((part) => signed(part, half, graph));
  return isView(first!, true, 1, 2) && isView(second!, false, 0, 2) ? "pairs" : null;
}

/** A part of `size` elements behind a Neg, Reshapes to [..., size, 1] or both. */
function signed(part: Value, size: number, graph: StepGraph): { value: Value; negated: boolean } | null {
  let value = part;
  let negated = false;
  for (;;) {
    const neg = graph.madeBy(value, "Neg");
    const reshape = graph.madeBy(value, "Reshape");
    if (neg !== undefined && !negated) {
      negated = true;
      value = neg.inputs[0]!;
    } else if (reshape !== undefined) value = reshape.inputs[0]!;
    else break;
  }
  return graph.shape(value).at(-1) === size ? { value, negated } : null;
}

interface Rotary {
  readonly x: Value;
  readonly cos: Value;
  readonly sin: Value;
  readonly rotated: Value;
  readonly how: Repetition;
}

function rotaryOf(add: Node, { x, cos, sin, how }: Rotary, graph: StepGraph): Node[] | null {
  const shape = graph.shape(x) as [number, number, number, number];
  const layout = layoutOf(graph.shape(cos), shape);
  if (layout === null || !same(graph.shape(cos), graph.shape(sin))) return null;
  if (!repeats(cos, how, graph) || !repeats(sin, how, graph)) return null;
  if (!isClosed(add, [x, viewOf(x, graph).source, cos, sin], graph)) return null;
  const name = add.name;
  const nodes: Node[] = [];
  const { batch, rows, heads } = layout;
  const caches = [cos, sin].map((cache, i) => {
    const made = halfOf(cache, how, [...(batch === 1 && shape[0] > 1 ? [] : [batch]), rows], `${name}/${i}`, graph);
    nodes.push(...made.nodes);
    return made.value;
  });
  const inputs: Value[] = [x, ...caches];
  if (batch === 1 && shape[0] > 1) {
    const positions = Array.from({ length: shape[0] * rows }, (_, i) => i % rows);
    inputs.push(graph.constant(Tensor.from("int64", [shape[0], rows], positions), `${name}/positions`));
  }
  const attributes = { interleaved: how === "pairs" ? 1 : 0 };
  if (layout.headsFirst)
    return [...nodes, graph.node("RotaryEmbedding", inputs, attributes, name, { outputs: add.outputs })];
  const flat = graph.reshape(x, [shape[0], rows, heads * shape[3]], `${name}/flat`);
  const rotary = graph.node(
    "RotaryEmbedding",
    [flat.outputs[0]!, ...inputs.slice(1)],
    { ...attributes, num_heads: heads },
    name,
  );
  return [...nodes, flat, rotary, graph.reshape(rotary.outputs[0]!, shape, `${name}/heads`, add.outputs[0]!)];
}

/** Which axes of x are heads and rows, by the shape of what it is multiplied with. */
function layoutOf(
  cache: readonly number[],
  [batch, a, b, size]: readonly [number, number, number, number],
): { headsFirst: boolean; batch: number; rows: number; heads: number } | null {
  if (cache.length < 2 || cache.length > 4) return null;
  const [n, first, second, last] = [...new Array<number>(4 - cache.length).fill(1), ...cache];
  if (last !== size || (n !== 1 && n !== batch)) return null;
  if (first === 1 && second === b) return { headsFirst: true, batch: n, rows: b, heads: a };
  return second === 1 && first === a ? { headsFirst: false, batch: n, rows: a, heads: b } : null;
}

/** One of each two equal elements of a cache, as [...dims, size / 2]. */
function halfOf(
  cache: Value,
  how: Repetition,
  dims: readonly number[],
  name: string,
  graph: StepGraph,
): { value: Value; nodes: Node[] } {
  const size = graph.shape(cache).at(-1)!;
  const half = size / 2;
  const tensor = graph.tensor(cache);
  const step = how === "halves" ? 1 : 2;
  if (tensor !== undefined) {
    const value = graph.derived(tensor, `${how} of [${dims}, ${size}]`, () => {
      const numbers = tensor.numbers();
      const at = (i: number): number => Math.floor(i / half) * size + (i % half) * step;
      const values = Float32Array.from({ length: numbers.length / 2 }, (_, i) => numbers[at(i)]!);
      return new Tensor("float32", [...dims, half], values);
    });
    return { value, nodes: [] };
  }
  const bounds = [0, how === "halves" ? half : size, graph.shape(cache).length - 1, step];
  const inputs = bounds.map((bound, i) => graph.constant(Tensor.from("int64", [1], [bound]), `${name}/bound${i}`));
  const slice = graph.node("Slice", [cache, ...inputs], {}, `${name}/slice`, { version: 13 });
  const reshape = graph.reshape(slice.outputs[0]!, [...dims, half], name);
  return { value: reshape.outputs[0]!, nodes: [slice, reshape] };
}

/** Concat(rotary(x[:r]), x[r:]) on the last axis. */
function partialRotary(node: Node, graph: StepGraph): Node[] | null {
  const output = node.outputs[0]!;
  const parts = lastAxisParts(output, graph) ?? [];
  const rotary = graph.madeBy(parts[0], "RotaryEmbedding");
  if (parts.length !== 2 || rotary === undefined || graph.uses(parts[0]!) !== 1) return null;
  if (rotary.attributes.has("num_heads") || rotary.attributes.has("rotary_embedding_dim")) return null;
  const [turned, kept] = [viewOf(rotary.inputs[0]!, graph), viewOf(parts[1]!, graph)];
  const { source } = turned;
  const whole = turned.start === 0 && turned.step === 1 && kept.step === 1 && kept.start === turned.size;
  if (!whole || kept.source !== source || !same(graph.shape(source), graph.shape(output))) return null;
  const attributes = {
    interleaved: Number(rotary.attributes.get("interleaved")?.value ?? 0),
    rotary_embedding_dim: turned.size,
  };
  const inputs = [source, ...rotary.inputs.slice(1)];
  return [graph.node("RotaryEmbedding", inputs, attributes, rotary.name, { outputs: [output] })];
}

/** [batch, heads, rows, size] with the heads before the rows, made from rows before heads. */
export function headsMovedFirst(value: Value, graph: StepGraph): Value | null {
  const transpose = graph.madeBy(value, "Transpose");
  return transpose !== undefined && permOf(transpose, graph.shape(value).length).join() === "0,2,1,3"
    ? transpose.inputs[0]!
    : null;
}

/** A Transpose of heads and rows before a RotaryEmbedding goes after it, where another may undo it: rotation reads either order. */
export const rotateRowsFirst: StepRule = (node, graph) => {
  if (node.op !== "RotaryEmbedding" || node.domain !== "") return null;
  const x = node.inputs[0]!;
  const rows = graph.shape(x).length === 4 ? headsMovedFirst(x, graph) : null;
  if (rows === null || graph.uses(x) !== 1) return null;
  const [batch, count, heads, size] = graph.shape(rows) as [number, number, number, number];
  const name = node.name;
  const flat = graph.reshape(rows, [batch, count, heads * size], `${name}/flat`);
  const number = (key: string): number => Number(node.attributes.get(key)?.value ?? 0);
  const rotary = graph.node(
    "RotaryEmbedding",
    [flat.outputs[0]!, ...node.inputs.slice(1)],
    {
      interleaved: number("interleaved"),
      num_heads: heads,
      rotary_embedding_dim: number("rotary_embedding_dim") || size,
    },
    name,
  );
  const split = graph.reshape(rotary.outputs[0]!, [batch, count, heads, size], `${name}/heads`);
  const perm = [0, 2, 1, 3];
  return [
    flat,
    rotary,
    split,
    graph.node("Transpose", [split.outputs[0]!], { perm }, `${name}/turned`, { outputs: node.outputs }),
  ];
};
