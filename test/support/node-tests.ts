import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installNodeHost } from "../../src/backends/wasm/host.node.js";
import { detectDevice, Session } from "../../src/backends/wasm/index.js";
import { Session as WebGpuSession } from "../../src/backends/webgpu/index.js";
import { Executor, optimize } from "../../src/compiler/index.js";
import { readModel, readTensor } from "../../src/formats/onnx/index.js";
import type { Model, Value } from "../../src/graph/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { type DataType, NonzeroError, Tensor } from "../../src/tensor/index.js";

/** Cases of the ONNX backend test suite: folders with `model.onnx` and `test_data_set_N/{input,output}_N.pb`. */
export const NODE_TESTS = fileURLToPath(new URL("../../../shared/data/onnx-node-tests", import.meta.url));

/** Runs a model on inputs in the graph's order, once or many times. */
export type Run = (inputs: readonly Tensor[]) => Promise<readonly Tensor[]>;

/** Something that models run on. */
export type Device = (model: Model) => Promise<Run>;

/** The devices that the suite can run on. `reference` evaluates the operators one by one on the host. */
export const DEVICES: Readonly<Record<string, Device>> = {
  reference: async (model) => async (inputs) => evaluateGraph(model.graph, inputs, operators),
  wasm: async (model) => {
    installNodeHost();
    const session = new Session(detectDevice());
    const executor = new Executor(optimize(model.graph), session);
    return async (inputs) => executor.run(inputs);
  },
  webgpu: async (model) => {
    const { testGpu } = await import("./webgpu.js");
    const gpu = await testGpu();
    if (typeof gpu === "string") throw new Error(gpu);
    const executor = new Executor(optimize(model.graph), new WebGpuSession(gpu));
    return (inputs) => executor.run(inputs);
  },
};

export interface NodeTestResult {
  readonly name: string;
  /** Why it failed, the first reason; null when it passed. */
  readonly failure: string | null;
}

/** Names of the cases that contain one of `filters`; all when there are none. */
export function nodeTestNames(filters: readonly string[] = []): string[] {
  if (!existsSync(NODE_TESTS)) return [];
  return readdirSync(NODE_TESTS)
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
    .sort();
}

/** The bytes of a case's model. */
export const nodeTestFile = (name: string): Uint8Array => readFileSync(join(NODE_TESTS, name, "model.onnx"));

export const readNodeTest = (name: string): Model => {
  return readModel(nodeTestFile(name), { file: `${name}/model.onnx` });
};

/** Runs every data set of one case and compares. */
export async function runNodeTest(name: string, device: Device): Promise<NodeTestResult> {
  try {
    const model = readNodeTest(name);
    const run = await device(model);
    for (const set of readdirSync(join(NODE_TESTS, name))) {
      if (!set.startsWith("test_data_set_")) continue;
      const folder = join(NODE_TESTS, name, set);
      const outputs = await run(tensorsIn(folder, "input", model.graph.inputs));
      const failure = compareAll(outputs, tensorsIn(folder, "output", model.graph.outputs));
      if (failure !== null) return { name, failure: `${set}, ${failure}` };
    }
    return { name, failure: null };
  } catch (error) {
    const failure =
      error instanceof NonzeroError ? error.message : String(error instanceof Error ? error.stack : error);
    return { name, failure };
  }
}

function tensorsIn(folder: string, kind: "input" | "output", values: readonly Value[]): Tensor[] {
  const files = readdirSync(folder).filter((file) => file.startsWith(`${kind}_`)).length;
  return Array.from({ length: files }, (_, i) => {
    const file = join(folder, `${kind}_${i}.pb`);
    return asDeclared(readTensor(readFileSync(file), { file }), values[i]?.type?.dtype);
  });
}

/** The suite keeps bfloat16 as its bits, in uint16. */
const asDeclared = (tensor: Tensor, dtype: DataType | undefined): Tensor =>
  dtype === "bfloat16" && tensor.dtype === "uint16" ? new Tensor(dtype, tensor.shape, tensor.data) : tensor;

function compareAll(actual: readonly Tensor[], expected: readonly Tensor[]): string | null {
  if (actual.length !== expected.length) return `${actual.length} outputs, expected ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const difference = compareTensors(actual[i] as Tensor, expected[i] as Tensor);
    if (difference !== null) return `output ${i}: ${difference}`;
  }
  return null;
}

/** float32 and float64 as ONNX's own runner has it; the short floats by two units in the last place of theirs. */
const RELATIVE: Readonly<Partial<Record<DataType, number>>> = {
  float32: 1e-3,
  float64: 1e-3,
  float16: 2 * 2 ** -10,
  bfloat16: 2 * 2 ** -7,
};
const ABSOLUTE = 1e-7;

/** How two tensors differ, or null: dtype and shape must be equal, floats within the suite's tolerance, all else exactly. */
export function compareTensors(actual: Tensor, expected: Tensor): string | null {
  if (actual.dtype !== expected.dtype) return `dtype ${actual.dtype}, expected ${expected.dtype}`;
  if (`${actual.shape}` !== `${expected.shape}`) return `shape [${actual.shape}], expected [${expected.shape}]`;
  const relative = RELATIVE[expected.dtype];
  const is = elementsOf(actual);
  const wanted = elementsOf(expected);
  const close = (a: unknown, b: unknown): boolean => {
    if (relative === undefined || typeof a !== "number" || typeof b !== "number") return a === b;
    return Object.is(a, b) || a === b || Math.abs(a - b) <= ABSOLUTE + relative * Math.abs(b);
  };
  for (let i = 0; i < wanted.length; i++) {
    if (!close(is[i], wanted[i])) return `element ${i} is ${is[i]}, expected ${wanted[i]}`;
  }
  return null;
}

function elementsOf(tensor: Tensor): ArrayLike<unknown> {
  if (tensor.dtype === "string") return tensor.strings();
  return tensor.dtype === "int64" || tensor.dtype === "uint64" ? tensor.bigints() : tensor.numbers();
}
