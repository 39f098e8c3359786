import { type Node, Value } from "../../graph/index.js";
import { permOf, same } from "./renames.js";
import { headsMovedFirst } from "./rotary.js";
import { isClosed, type StepGraph, type StepRule } from "./step-graph.js";

/**
 * Recognizes attention spelled in primitives on tensors [batch, heads, tokens, size]:
 *
 *     MatMul(Softmax(MatMul(q, kᵀ) · scale [+ mask]), v)
 *
 * with scalar factors before or after the product, on either side, as Mul or Div. It becomes ONNX's Attention (opset 23), whose
 * kernel never holds the matrix of scores.
 */
export const recognizeAttention: StepRule = (node, graph) => {
  if (node.op !== "MatMul" || node.domain !== "") return null;
  const [probabilities, v] = node.inputs as [Value, Value];
  const softmax = graph.madeBy(probabilities, "Softmax");
  if (softmax === undefined || !onLastAxis(softmax)) return null;
  const biased = addends(softmax.inputs[0]!, graph);
  for (const { scores, mask } of biased) {
    const product = scaled(scores, graph);
    const matmul = graph.madeBy(product.value, "MatMul");
    if (matmul === undefined) continue;
    const q = scaled(matmul.inputs[0]!, graph);
    const kT = scaled(matmul.inputs[1]!, graph);
    if (!fitsTogether(q.value, kT.value, v, mask, scores, graph)) continue;
    const k = untransposed(kT.value, `${node.name}/keys`, graph);
    const from = [q.value, kT.value, v, ...(mask === null ? [] : [mask])];
    if (k === null || !isClosed(node, from, graph)) continue;
    const inputs = mask === null || isZero(mask, graph) ? [q.value, k.value, v] : [q.value, k.value, v, mask];
    const scale = { kind: "float", value: product.factor * q.factor * kT.factor } as const;
    return [...k.nodes, graph.node("Attention", inputs, { scale }, node.name, { outputs: node.outputs })];
  }
  return null;
};

function onLastAxis(softmax: Node): boolean {
  const axis = softmax.attributes.get("axis");
  if (axis?.kind !== "int") return softmax.version >= 13;
  return axis.value === -1 || axis.value === 3;
}

/** A sum taken as scores and mask, either way; or the scores alone. */
function addends(value: Value, graph: StepGraph): { scores: Value; mask: Value | null }[] {
  const add = graph.madeBy(value, "Add");
  if (add === undefined) return [{ scores: value, mask: null }];
  const [a, b] = add.inputs as [Value, Value];
  return [
    { scores: a, mask: b },
    { scores: b, mask: a },
  ];
}

/** The value behind multiplications and divisions by scalar constants that leave its shape. */
function scaled(value: Value, graph: StepGraph): { value: Value; factor: number } {
  const step = scaledOnce(value, graph);
  if (step === null) return { value, factor: 1 };
  const inner = scaled(step.value, graph);
  return { value: inner.value, factor: inner.factor * step.factor };
}

/** value = factor · step.value, by a Mul or Div with a scalar constant that leaves the shape. */
export function scaledOnce(value: Value, graph: StepGraph): { value: Value; factor: number } | null {
  const keeps = (inner: Value | null | undefined): inner is Value =>
    inner != null && !graph.isConstant(inner) && same(graph.shape(inner), graph.shape(value));
  const mul = graph.madeBy(value, "Mul");
  for (const i of [0, 1]) {
    const factor = graph.scalar(mul?.inputs[1 - i]);
    const inner = mul?.inputs[i];
    if (factor !== undefined && keeps(inner)) return { value: inner, factor };
  }
  const div = graph.madeBy(value, "Div");
  const divisor = graph.scalar(div?.inputs[1]);
  const inner = div?.inputs[0];
  return divisor !== undefined && divisor !== 0 && keeps(inner) ? { value: inner, factor: 1 / divisor } : null;
}

/** Four axes each, batches and heads that need no broadcasting, and a mask that broadcasts to the scores with a value for every key. */
function fitsTogether(q: Value, kT: Value, v: Value, mask: Value | null, scores: Value, graph: StepGraph): boolean {
  const shapes = [q, kT, v].map((value) => graph.shape(value));
  if (shapes.some((shape) => shape.length !== 4 || !same(shape.slice(0, 2), shapes[0]!.slice(0, 2)))) return false;
  if ([q, kT, v].some((value) => graph.type(value).dtype !== "float32")) return false;
  if (mask === null) return true;
  const full = graph.shape(scores);
  const dims = graph.shape(mask);
  const offset = full.length - dims.length;
  if (offset < 0 || dims.length === 0 || dims.at(-1) !== full.at(-1)) return false;
  return dims.every((dim, axis) => dim === 1 || dim === full[axis + offset]);
}

function isZero(mask: Value, graph: StepGraph): boolean {
  return (
    graph
      .tensor(mask)
      ?.numbers()
      .every((element) => element === 0) === true
  );
}

/** k of kᵀ [batch, heads, size, keys], where that costs nothing or only moves an existing Transpose. */
function untransposed(kT: Value, name: string, graph: StepGraph): { value: Value; nodes: Node[] } | null {
  const transpose = graph.madeBy(kT, "Transpose");
  const perm = transpose === undefined ? "" : permOf(transpose, 4).join();
  const source = transpose?.inputs[0];
  if (source && perm === "0,1,3,2") return { value: source, nodes: [] };
  if (source && perm === "0,2,3,1") {
    const { version } = transpose!; // as that of its twins, with which it may be merged
    const turned = graph.node("Transpose", [source], { perm: [0, 2, 1, 3] }, name, { version });
    return { value: turned.outputs[0]!, nodes: [turned] };
  }
  const [batch, heads, size, keys] = graph.shape(kT) as [number, number, number, number];
  if (size !== 1 && keys !== 1) return null;
  const renamed = graph.reshape(kT, [batch, heads, keys, size], name);
  return { value: renamed.outputs[0]!, nodes: [renamed] };
}

const PAST_KEY = 4;

/**
 * Keys and values appended to caches before an Attention, Concat(past, k), become its past and present: the kernel writes the new
 * rows where they belong.
 */
export const joinCaches: StepRule = (node, graph) => {
  if (!isPlainAttention(node) || node.inputs.length > PAST_KEY) return null;
  const [key, value] = [cached(node.inputs[1]!, graph), cached(node.inputs[2]!, graph)];
  if (key === null || value === null || graph.shape(key.past)[2] !== graph.shape(value.past)[2]) return null;
  const inputs = [node.inputs[0]!, key.rows, value.rows, node.inputs[3] ?? null, key.past, value.past];
  const presents = [key, value].map(({ present }) => new Value(present.name));
  const joined = { ...attributesOfNode(node) };
  const made = graph.node("Attention", inputs, joined, node.name, { outputs: [node.outputs[0]!, ...presents] });
  graph.replace(key.present, presents[0]!);
  graph.replace(value.present, presents[1]!);
  return [made];
};

/** Concat(past, rows) along the rows, read by nobody before this Attention has run. */
function cached(present: Value, graph: StepGraph): { past: Value; rows: Value; present: Value } | null {
  const concat = graph.madeBy(present, "Concat");
  const axis = concat?.attributes.get("axis")?.value;
  if (concat?.inputs.length !== 2 || (axis !== 2 && axis !== -2) || graph.shape(present).length !== 4) return null;
  if (graph.uses(present) > (graph.isOutput(present) ? 2 : 1)) return null;
  return { past: concat.inputs[0]!, rows: concat.inputs[1]!, present };
}

const attributesOfNode = (node: Node) => Object.fromEntries(node.attributes);

/** ONNX Attention on four axes that gives no more than its result. */
const isPlainAttention = (node: Node): boolean =>
  node.op === "Attention" &&
  node.domain === "" &&
  node.outputs.length === 1 &&
  !node.attributes.has("q_num_heads") &&
  !node.attributes.has("kv_num_heads");

/**
 * Attention reads heads that lie side by side, [batch, tokens, heads · size], as well as heads first: Transposes of its inputs go,
 * and that of its result goes behind it, where it meets the one that undoes it. A transposed key or value that is an output of the
 * graph too becomes the Attention's present. Queries and keys need not agree in their form.
 */
export const attendRowsFirst: StepRule = (node, graph) => {
  if (node.op !== "Attention" || node.domain !== "") return null;
  if (node.attributes.has("q_num_heads") || node.attributes.has("kv_num_heads")) return null;
  if (node.outputs[3] || node.inputs[6]) return null;
  const inputs = [...node.inputs];
  const outputs = [...node.outputs];
  const nodes: Node[] = [];
  const attributes = attributesOfNode(node);
  const flattened = [0, 1, 2].map((i) => {
    const input = node.inputs[i]!;
    const rows = graph.shape(input).length === 4 ? headsMovedFirst(input, graph) : null;
    if (rows === null) return false;
    const [batch, count, heads, size] = graph.shape(rows) as [number, number, number, number];
    const flat = graph.reshape(rows, [batch, count, heads * size], `${node.name}/rows${i}`);
    nodes.push(flat);
    inputs[i] = flat.outputs[0]!;
    attributes[i === 0 ? "q_num_heads" : "kv_num_heads"] = { kind: "int", value: heads };
    return true;
  });
  if (!flattened.includes(true)) return null;
  const result = node.outputs[0]!;
  const [batch, heads, queries, size] = graph.shape(result) as [number, number, number, number];
  if (flattened[0]) outputs[0] = new Value(`${node.name}/attended`);
  const turned = [1, 2].filter((i) => flattened[i] && !node.outputs[i] && !node.inputs[PAST_KEY - 1 + i]);
  const presents = turned.filter((i) => graph.isOutput(node.inputs[i]!) && graph.uses(node.inputs[i]!) === 2);
  for (const i of presents) {
    while (outputs.length <= i) outputs.push(null);
    outputs[i] = new Value(node.inputs[i]!.name);
  }
  nodes.push(graph.node("Attention", inputs, attributes, node.name, { outputs }));
  for (const i of presents) graph.replace(node.inputs[i]!, outputs[i]!);
  if (flattened[0]) {
    const split = graph.reshape(outputs[0]!, [batch, queries, heads, size], `${node.name}/heads`);
    const perm = [0, 2, 1, 3];
    nodes.push(split);
    nodes.push(graph.node("Transpose", [split.outputs[0]!], { perm }, `${node.name}/turned`, { outputs: [result] }));
  }
  return nodes;
};
