import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { writeModel } from "../../src/formats/onnx/index.js";
import { type AttributeLike, type Dim, GraphBuilder, type Model, type NodeOptions } from "../../src/graph/index.js";
import { Attributes, evaluateNode, operatorKey, operators } from "../../src/ops/index.js";
import { type DataType, isFloat, NonzeroError, type NumericArray, Tensor } from "../../src/tensor/index.js";

/** One application of an operator, to be run by onnxruntime and by the reference evaluation. */
export interface Case {
  readonly op: string;
  readonly inputs: readonly (Tensor | null)[];
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  /** How many outputs to ask for; 1 unless given. */
  readonly outputs?: number;
  readonly domain?: string;
  /** Opset version of the domain. */
  readonly version?: number;
}

function modelOf({
  op,
  inputs,
  attributes = {},
  outputs = 1,
  domain = "",
  version = domain === "" ? 21 : 1,
}: Case): Model {
  const b = new GraphBuilder();
  const values = inputs.map((x, i) => (x === null ? null : b.input(`input_${i}`, x.dtype, x.shape)));
  const options: NodeOptions = { domain, version, name: "node" };
  b.addMany(op, values, outputs, attributes, options).forEach((value, i) => {
    b.output(value, `output_${i}`);
  });
  const graph = b.build();
  const [node] = graph.nodes;
  const operator = operators.get(operatorKey(node!));
  if (operator === undefined) throw new NonzeroError("unsupported", `no operator '${operatorKey(node!)}'`);
  const types = operator.infer(
    inputs.map((x) => (x === null ? null : { type: { dtype: x.dtype, shape: x.shape }, value: x })),
    operator.attributes(new Attributes(node!)),
    { infer: () => [] },
  );
  graph.outputs.forEach((output, i) => {
    output.type = types[i]!;
  });
  return {
    graph,
    opsets: new Map([["", domain === "" ? version : 17], ...(domain === "" ? [] : [[domain, version] as const])]),
    irVersion: 10,
    producer: "test",
    metadata: new Map(),
  };
}

/** ONNX Runtime's answer to a case. @throws what onnxruntime throws when it refuses the model. */
export async function runOnnxruntime(c: Case): Promise<Tensor[]> {
  const session = await ort.InferenceSession.create(writeModel(modelOf(c)), { logSeverityLevel: 4 });
  const feeds: Record<string, ort.Tensor> = {};
  c.inputs.forEach((x, i) => {
    if (x !== null) feeds[`input_${i}`] = new ort.Tensor(x.dtype as "float32", x.data as Float32Array, x.shape);
  });
  const results = await session.run(feeds);
  return session.outputNames.map((name) => {
    const { type, data, dims } = results[name]!;
    return new Tensor(type as DataType, dims, data as NumericArray);
  });
}

/** What `infer` says of a case when dimensions are names, or even ranks unknown, may leave out but not contradict the answer. */
export function checkPartialInference(c: Case, outputs: readonly Tensor[]): void {
  const { graph } = modelOf(c);
  const operator = operators.get(operatorKey(graph.nodes[0]!))!;
  const attributes = operator.attributes(new Attributes(graph.nodes[0]!));
  const views: readonly ((shape: readonly number[]) => readonly Dim[] | null)[] = [
    (shape) => shape.map((dim) => `n${dim}`),
    (shape) => shape.map((dim, axis) => (axis % 2 === 0 ? `n${dim}` : dim)),
    () => null,
  ];
  for (const view of views) {
    const operands = c.inputs.map((x) => x && { type: { dtype: x.dtype, shape: view(x.shape) } });
    const types = operator.infer(operands, attributes, { infer: () => [] });
    outputs.forEach((y, i) => {
      const { dtype, shape } = types[i]!;
      const fits =
        shape === null ||
        (shape.length === y.shape.length && shape.every((d, k) => typeof d === "string" || d === y.shape[k]));
      if (dtype !== y.dtype || !fits)
        throw new Error(`${c.op}: inferred ${dtype} [${shape}] for output ${i}, which is ${y.dtype} [${y.shape}]`);
    });
  }
}

/** The reference evaluation's answer; its shapes and dtypes are checked against `infer`. */
export function runReference(c: Case): Tensor[] {
  const { graph } = modelOf(c);
  const outputs = evaluateNode(graph.nodes[0]!, c.inputs, operators, { run: () => [] });
  return graph.outputs.map(({ type }, i) => {
    const y = outputs[i]!;
    const shape = type?.shape;
    const fits =
      shape == null ||
      (shape.length === y.shape.length && shape.every((d, k) => typeof d === "string" || d === y.shape[k]));
    if (!fits || type?.dtype !== y.dtype)
      throw new Error(`${c.op}: inferred ${type?.dtype} [${shape}], evaluated ${y.dtype} [${y.shape}]`);
    return y;
  });
}

/** What differs between two answers, or null. `tolerance` bounds |a − b| / (1 + |b|); integers must be equal. */
export function difference(actual: readonly Tensor[], expected: readonly Tensor[], tolerance: number): string | null {
  for (const [k, want] of expected.entries()) {
    const have = actual[k]!;
    if (have.dtype !== want.dtype || `${have.shape}` !== `${want.shape}`)
      return `output ${k}: ${have.dtype} [${have.shape}] instead of ${want.dtype} [${want.shape}]`;
    const [a, b] = [have.numbers(), want.numbers()];
    for (let i = 0; i < b.length; i++) {
      if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
      const error = Math.abs(a[i]! - b[i]!) / (1 + Math.abs(b[i]!));
      if (!isFloat(want.dtype) || !(error <= tolerance)) return `output ${k}[${i}]: ${a[i]} instead of ${b[i]}`;
    }
  }
  return null;
}

/** Both answers to a case, compared. */
export const disagreement = async (c: Case, tolerance = 1e-5): Promise<string | null> =>
  difference(runReference(c), await runOnnxruntime(c), tolerance);

/**
 * One vitest test a case: the reference evaluation agrees with onnxruntime. onnxruntime computes in float32: the tolerance is
 * for sums of up to 80 terms of magnitude 1, each rounded to 2^-24 as a product and as a sum.
 */
export function testAgainstOnnxruntime(cases: Readonly<Record<string, Case>>, tolerance = 80 * 2 * 2 ** -24): void {
  test.each(Object.entries(cases))("%s agrees with onnxruntime", async (_, c) => {
    expect(await disagreement(c, tolerance)).toBeNull();
    checkPartialInference(c, runReference(c));
  });
}
