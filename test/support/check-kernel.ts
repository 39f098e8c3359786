import { expect } from "vitest";
import { installNodeHost } from "../../src/backends/wasm/host.node.js";
import { type DeviceInfo, hasRelaxedSimd, type Kernel, Session } from "../../src/backends/wasm/index.js";
import { Executor } from "../../src/compiler/index.js";
import { type AttributeLike, type Graph, GraphBuilder } from "../../src/graph/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { type NumericArray, Tensor } from "../../src/tensor/index.js";

installNodeHost();

/** One thread and plain SIMD; and two threads with all that the host has. */
export const DEVICES: readonly DeviceInfo[] = [
  { relaxed: false, shared: false, threads: 1 },
  { relaxed: hasRelaxedSimd(), shared: true, threads: 2 },
];

export interface OperatorCase {
  readonly op: string;
  readonly domain?: string;
  readonly version?: number;
  /** Fed when the graph runs, or part of the graph. */
  readonly inputs: readonly (Tensor | { readonly constant: Tensor } | null)[];
  readonly outputs?: number;
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
}

/** A graph of one node, and its feeds. */
export function graphOf(c: OperatorCase): { graph: Graph; feeds: Tensor[] } {
  const builder = new GraphBuilder();
  const feeds: Tensor[] = [];
  const values = c.inputs.map((input, i) => {
    if (input === null) return null;
    if (!(input instanceof Tensor)) return builder.constant(input.constant);
    feeds.push(input);
    return builder.input(`x${i}`, input.dtype, input.shape);
  });
  const options = { domain: c.domain ?? "", ...(c.version !== undefined && { version: c.version }) };
  for (const output of builder.addMany(c.op, values, c.outputs ?? 1, c.attributes ?? {}, options))
    builder.output(output);
  return { graph: builder.build(), feeds };
}

/** How far a result may lie from the evaluation's: for float results, given the element there. */
export type Tolerance = (wanted: number) => number;
export const EXACT: Tolerance = () => 0;
/** `count` units in the last place of float32. */
export const ulps =
  (count: number): Tolerance =>
  (wanted) =>
    count * 2 ** -23 * Math.abs(wanted);

const sessions = new Map<string, Session>();

function sessionOf(device: DeviceInfo, kernels: readonly Kernel[]): Session {
  const key = `${device.threads}/${kernels.map((kernel) => kernel.name)}`;
  let session = sessions.get(key);
  if (session === undefined) {
    session = new Session(device, kernels, undefined, "stored"); // sparse weights to their own kernels
    sessions.set(key, session);
  }
  return session;
}

/**
 * Runs the graph with `kernels` on every device and compares with its operators' evaluations. `kernel` is the name of the
 * kernel that must take every node (but for those that only rename, which simplification finds); null where none may.
 */
export function checkGraph(
  graph: Graph,
  feeds: readonly Tensor[],
  kernels: readonly Kernel[],
  kernel: string | null,
  tolerance: Tolerance = EXACT,
): void {
  const wanted = evaluateGraph(graph, feeds, operators);
  for (const device of DEVICES) {
    const executor = new Executor(graph, sessionOf(device, kernels));
    for (const step of executor.describe(feeds)) expect(["alias", kernel ?? "evaluation"]).toContain(step.kernel);
    const got = executor.run(feeds);
    got.forEach((tensor, i) => {
      compare(tensor, wanted[i]!, tolerance);
    });
    executor.release();
  }
}

export const checkOperator = (
  c: OperatorCase,
  kernels: readonly Kernel[],
  kernel: string | null,
  tolerance: Tolerance = EXACT,
): void => {
  const { graph, feeds } = graphOf(c);
  checkGraph(graph, feeds, kernels, kernel, tolerance);
};

function compare(got: Tensor, wanted: Tensor, tolerance: Tolerance): void {
  expect([got.dtype, ...got.shape]).toEqual([wanted.dtype, ...wanted.shape]);
  const [a, b] = [got.data as NumericArray, wanted.data as NumericArray];
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    if (typeof y === "number" && Math.abs((x as number) - y) <= tolerance(y)) continue;
    expect.fail(`element ${i} of [${wanted.shape}] is ${x}, not ${y}`);
  }
}

/** Pseudorandom numbers in [-scale, scale), the same for the same seed. */
export function randomTensor(shape: readonly number[], seed: number, scale = 1): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  let state = (seed * 2654435761 + 12345) >>> 0;
  const values = Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * scale;
  });
  return new Tensor("float32", shape, values);
}
