import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RULES } from "../src/backends/specs/elementwise/rules.js";
import type { DeviceBuffer } from "../src/backends/webgpu/device-buffer.js";
import type { Gpu } from "../src/backends/webgpu/gpu.js";
import { Session } from "../src/backends/webgpu/index.js";
import { isFusible } from "../src/backends/webgpu/kernels/elementwise/fusible.js";
import { lowerSteps } from "../src/backends/webgpu/lower.js";
import type { Holding } from "../src/backends/webgpu/session.js";
import { fuse, type InputSpec, optimize, specialize } from "../src/compiler/index.js";
import { readTensor } from "../src/formats/onnx/index.js";
import { type Graph, GraphBuilder, type Node, Value } from "../src/graph/index.js";
import { dtypeOfCode } from "../src/ops/onnx-dtype.js";
import { type DataType, Tensor } from "../src/tensor/index.js";
import { PLAIN_GPU } from "../test/support/capture-webgpu.js";
import { randomTensor } from "../test/support/check-kernel.js";
import { NODE_TESTS, nodeTestNames, readNodeTest } from "../test/support/node-tests.js";

/*
 * Writes into docs/webgpu-operators.md which operators of ONNX's backend tests the WebGPU device has kernels for, and for which dtypes: every
 * test of one node is lowered, with no GPU, as it is and with its elements as each other dtype.
 */

const DTYPES: readonly DataType[] = [
  ...(["float32", "float16", "bfloat16", "float64", "int8", "uint8", "int16", "uint16"] as const),
  ...(["int32", "uint32", "int64", "uint64", "bool"] as const),
];
const PAGE = fileURLToPath(new URL("../docs/webgpu-operators.md", import.meta.url));

const held = (bytes: number, fill?: (target: Uint8Array) => void): DeviceBuffer => {
  fill?.(new Uint8Array(bytes));
  return { bytes, gpu: null };
};
const memory = {
  upload: (tensor) => held(tensor.byteLength),
  prepare: (_constant, _key, bytes, fill) => held(bytes, fill),
} as Holding;

/** The operators of a graph's steps that the host evaluates; null where there is no graph of these types. */
function evaluated(make: () => Graph): string[] | null {
  try {
    const graph = make();
    const specs = graph.inputs.map(({ type }) => ({ type: type as InputSpec["type"] }));
    const concrete = specialize(optimize(graph), specs);
    const spec = fuse(concrete, (node) => isFusible(node, (value) => concrete.types.get(value)?.dtype));
    const { steps } = lowerSteps(spec, new Session({ info: PLAIN_GPU } as Gpu), memory);
    return steps.filter(({ kernel }) => kernel === "evaluation").map(({ op }) => op);
  } catch {
    return null;
  }
}

/** Elements that a shape, a scale or a bound may have; what has more is an activation. */
const SMALL = 8;

interface Case {
  readonly node: Node;
  readonly feeds: ReadonlyMap<Value, Tensor>;
}

/** The first input whose dtype says what the operator computes with: conditions do not. */
const mainOf = ({ node, feeds }: Case): Tensor | undefined => {
  const given = node.inputs.map((value) => value && feeds.get(value)).filter((tensor) => tensor instanceof Tensor);
  return given.find(({ dtype }) => dtype !== "bool") ?? given[0];
};

/**
 * The node on inputs whose elements of the main one's dtype are of `dtype`. What is small beside it is constant, as shapes, axes and scales are in
 * models; `weights`: all is constant but the first input.
 */
function retyped({ node, feeds }: Case, dtype: DataType, weights: boolean): Graph {
  const from = mainOf({ node, feeds })!.dtype;
  const copies = new Map<Value, Value>();
  const inputs: Value[] = [];
  const constants = new Map<Value, Tensor>();
  for (const [value, tensor] of feeds) {
    const copy = new Value(value.name, { dtype: tensor.dtype === from ? dtype : tensor.dtype, shape: tensor.shape });
    copies.set(value, copy);
    const first = value === node.inputs[0];
    const computed = tensor.dtype === from && !(node.op.startsWith("Reduce") && !first);
    if (first || (computed && !weights && tensor.size > SMALL)) inputs.push(copy);
    else constants.set(copy, computed ? tensor.to(dtype) : tensor);
  }
  const outputs = node.outputs.map((output) => output && new Value(output.name, null));
  const made = { ...node, inputs: node.inputs.map((value) => value && copies.get(value)!), outputs };
  return { name: node.op, inputs, nodes: [made], outputs: outputs.filter((value) => value !== null), constants };
}

/** A case of float32, for operators that ONNX's tests, or those at hand, leave out. */
function caseOf(key: string, shapes: readonly (readonly number[])[], attributes = {}): Case {
  const [domain, op] = key.includes("::") ? (key.split("::") as [string, string]) : ["", key];
  const builder = new GraphBuilder();
  const tensors = shapes.map((shape) => randomTensor(shape, 1));
  const inputs = tensors.map((tensor, i) => builder.input(`x${i}`, "float32", tensor.shape));
  builder.output(builder.add(op, inputs, attributes, { domain, ...(domain !== "" && { version: 1 }) }));
  const [node] = builder.build().nodes as [Node];
  return { node, feeds: new Map(inputs.map((value, i) => [value, tensors[i]!])) };
}

const [HEADS, TOKENS] = [
  [1, 2, 3, 8],
  [1, 3, 8],
];
const OTHERS: readonly Case[] = [
  ...[...RULES.keys()].flatMap((key) => [1, 2].map((count) => caseOf(key, new Array(count).fill([2, 3])))),
  caseOf("Attention", [HEADS, HEADS, HEADS]),
  caseOf("com.microsoft::MultiHeadAttention", [TOKENS, TOKENS, TOKENS], { num_heads: 2 }),
  caseOf("RMSNormalization", [[2, 8], [8]]),
  caseOf("com.microsoft::SkipLayerNormalization", [TOKENS, TOKENS, [8], [8]]),
  caseOf("GroupNormalization", [[1, 4, 3], [4], [4]], { num_groups: 2 }),
  caseOf("com.microsoft::FusedMatMul", [
    [2, 3],
    [3, 4],
  ]),
  caseOf("DepthToSpace", [[1, 4, 2, 2]], { blocksize: 2 }),
];

const takes = new Map<string, Set<DataType>>();
const withWeights = new Map<string, Set<DataType>>();
const tested = new Set<string>();
const host = new Map<string, number>();
let tests = 0;
let whole = 0;
for (const name of nodeTestNames()) {
  const { graph } = readNodeTest(name);
  const folder = join(NODE_TESTS, name, "test_data_set_0");
  const files = readdirSync(folder).filter((file) => file.startsWith("input_"));
  const feeds = new Map<Value, Tensor>();
  for (let i = 0; i < files.length; i++) {
    const file = join(folder, `input_${i}.pb`);
    try {
      feeds.set(graph.inputs[i]!, readTensor(readFileSync(file), { file }));
    } catch {
      // sequences and optionals are no tensors
    }
  }
  if (feeds.size < graph.inputs.length || graph.nodes.length !== 1) continue;
  const [node] = graph.nodes as [Node];
  const main = mainOf({ node, feeds });
  if (main === undefined || [...node.attributes.values()].some(({ kind }) => kind === "graph")) continue;
  tests++;
  const left = evaluated(() => retyped({ node, feeds }, main.dtype, false));
  if (left?.length === 0) whole++;
  else host.set(node.op, (host.get(node.op) ?? 0) + 1);
  probe({ node, feeds });
}
for (const other of OTHERS) probe(other);

/** Notes the dtypes that a case has kernels for. */
function probe(one: Case): void {
  const { op, attributes } = one.node;
  const to = op === "Cast" && attributes.get("to")?.kind === "int" ? Number(attributes.get("to")?.value) : undefined;
  for (const dtype of DTYPES) {
    if (op === "Cast" && (to === undefined || dtypeOfCode(to, "to") === dtype)) continue;
    for (const weights of [false, true]) {
      const left = evaluated(() => retyped(one, dtype, weights));
      if (left !== null) tested.add(op);
      if (left?.length !== 0) continue;
      const into = weights && !takes.get(op)?.has(dtype) ? withWeights : takes;
      into.set(op, (into.get(op) ?? new Set()).add(dtype));
    }
  }
}

/** `op*`, by its dtypes, where it takes more with constant weights. */
for (const [op, dtypes] of withWeights) {
  const more = [...dtypes].filter((dtype) => !takes.get(op)?.has(dtype));
  if (more.length > 0) takes.set(`${op}*`, new Set([...(takes.get(op) ?? []), ...more]));
}
if (!existsSync(NODE_TESTS)) throw new Error(`there is no ${NODE_TESTS}`);

const byDtypes = new Map<string, string[]>();
for (const [op, dtypes] of [...takes].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const text = DTYPES.filter((dtype) => dtypes.has(dtype)).join(", ");
  byDtypes.set(text, [...(byDtypes.get(text) ?? []), op]);
}
const rows = [...byDtypes].map(([dtypes, ops]) => `| ${ops.join(", ")} | ${dtypes} |`);
const has = (op: string): boolean => takes.has(op) || takes.has(`${op}*`);
const none = [...tested].filter((op) => !has(op)).sort();
const some = [...host].filter(([op]) => has(op)).map(([op, count]) => `${op} (${count})`);
const table = [
  "| operators | dtypes |",
  "| --- | --- |",
  ...rows,
  "",
  "\\* where all its inputs but the first are constants, as weights are.",
  "",
  `Of the ${tests} tests of one node, ${whole} run on the GPU from end to end, as they are.`,
  "",
  `Without a kernel: ${none.join(", ")}.`,
  "",
  `With a kernel that does not take every one of their tests (so many are evaluated): ${some.sort().join(", ")}.`,
].join("\n");
const page = readFileSync(PAGE, "utf8");
writeFileSync(
  PAGE,
  page.replace(/(<!-- table -->\n)[\s\S]*(<!-- end -->)/, (_, begin, end) => `${begin}${table}\n${end}`),
);
