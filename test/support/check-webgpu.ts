import { describe, expect } from "vitest";
import { type DeviceInfo, Gpu, type Kernel, Session } from "../../src/backends/webgpu/index.js";
import { Executor } from "../../src/compiler/index.js";
import type { Graph } from "../../src/graph/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { type DataType, is64BitInteger, type Tensor } from "../../src/tensor/index.js";
import { EXACT, graphOf, type OperatorCase, type Tolerance } from "./check-kernel.js";
import { testGpu } from "./webgpu.js";

const gpu = await testGpu();

/** Tests on a GPU; skipped, and saying why, where there is none. */
export function describeGpu(name: string, body: () => void): void {
  if (typeof gpu === "string") describe.skip(`${name} (no GPU: ${gpu})`, body);
  else describe(name, body);
}

/** The GPU with all that it has, and as one that has no more than every GPU. */
const gpus: readonly Gpu[] =
  typeof gpu === "string" ? [] : [gpu, Object.assign(new Gpu(gpu.device, false), { info: leastOf(gpu.info) })];

function leastOf(info: DeviceInfo): DeviceInfo {
  return { ...info, f16: false, subgroups: null, limits: { ...info.limits, maxImmediateSize: 0 } };
}

const sessions = new Map<string, readonly Session[]>();

function sessionsOf(kernels: readonly Kernel[]): readonly Session[] {
  const key = kernels.map((kernel) => kernel.name).join();
  const found =
    sessions.get(key) ?? gpus.map((one) => new Session(one, undefined, kernels, [], {}, undefined, "stored"));
  sessions.set(key, found);
  return found;
}

/**
 * Runs the graph with `kernels` on the GPU and compares with its operators' evaluations. `kernel` is the name of the kernel that
 * must take every node (but for those that only rename, which simplification finds), or the names of several; null where none may.
 * "all" devices are the GPU as it is and, once more, without what only some GPUs have; "own" is the first of them.
 */
export async function checkGraph(
  graph: Graph,
  feeds: readonly Tensor[],
  kernels: readonly Kernel[],
  kernel: string | readonly string[] | null,
  tolerance: Tolerance = EXACT,
  devices: "all" | "own" = "all",
): Promise<void> {
  const wanted = evaluateGraph(graph, feeds, operators);
  for (const session of sessionsOf(kernels).slice(0, devices === "own" ? 1 : 2)) {
    const executor = new Executor(graph, session);
    for (const step of executor.describe(feeds))
      expect(["alias", ...[kernel ?? "evaluation"].flat()]).toContain(step.kernel);
    const got = await executor.run(feeds);
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
  devices: "all" | "own" = "all",
): Promise<void> => {
  const { graph, feeds } = graphOf(c);
  return checkGraph(graph, feeds, kernels, kernel, tolerance, devices);
};

/** Elements that `===` compares; of short floats what their bits stand for. */
const elementsOf = (tensor: Tensor): ArrayLike<unknown> =>
  tensor.dtype === "string" || is64BitInteger(tensor.dtype) ? tensor.data : tensor.numbers();

/** `tolerance` for results of a dtype: of a short float as well half a unit in its last place, and of the one that the evaluation rounds to. */
export const rounded =
  (dtype: DataType, tolerance: Tolerance): Tolerance =>
  (wanted) => {
    const unit = dtype === "float16" ? 2 ** -10 : dtype === "bfloat16" ? 2 ** -7 : 0;
    const least = dtype === "float16" ? 2 ** -24 : 0;
    return tolerance === EXACT && unit > 0 ? 0 : tolerance(wanted) + Math.max(unit * Math.abs(wanted), least);
  };

function compare(got: Tensor, wanted: Tensor, tolerance: Tolerance): void {
  expect([got.dtype, ...got.shape]).toEqual([wanted.dtype, ...wanted.shape]);
  const [a, b] = [elementsOf(got), elementsOf(wanted)];
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    if (typeof y === "number" && Math.abs((x as number) - y) <= tolerance(y)) continue;
    expect.fail(`element ${i} of [${wanted.shape}] is ${x}, not ${y}`);
  }
}
