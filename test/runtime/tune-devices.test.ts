import { describe, expect, test } from "vitest";
import { Choices, type Decision, type TrialSession } from "../../src/backends/tuner/index.js";
import { tasksOf, tune } from "../../src/backends/tuner/tune.js";
import { workbenchOf } from "../../src/backends/tuner/workbench.js";
import { detectDevice, Session as WasmSession } from "../../src/backends/wasm/index.js";
import { allKernels as wasmKernels } from "../../src/backends/wasm/kernels/index.js";
import { Session as WebgpuSession } from "../../src/backends/webgpu/index.js";
import { allKernels as webgpuKernels } from "../../src/backends/webgpu/kernels/index.js";
import { Executor } from "../../src/compiler/index.js";
import { GraphBuilder } from "../../src/graph/index.js";
import { noise } from "../support/small-models.js";
import { testGpu } from "../support/webgpu.js";

/** What the kernels of both devices have in common. */
interface AnyKernel {
  readonly name: string;
  lower(spec: never, schedule: never, node: never, to: never): void;
}

/** A kernel that does its work once, or by default many times; and a third schedule that always fails. */
const wasteful = <K extends AnyKernel>(kernel: K): K => ({
  ...kernel,
  schedules: () => [{ times: 20 }, { times: 1 }, { times: -1 }],
  lower(spec: never, { times }: { times: number }, node: never, to: never) {
    if (times < 0) throw new Error("this device cannot do that");
    for (let i = 0; i < times; i++) kernel.lower(spec, null as never, node, to);
  },
});

const b = new GraphBuilder();
const x = b.input("x", "float32", [32, 256]);
b.output(b.add("Tanh", [x]), "y");
const graph = b.build();
const feeds = [noise([32, 256], 1)];

const gpu = await testGpu();
const elementwise = (kernels: readonly AnyKernel[]) => kernels.find(({ name }) => name === "elementwise")!;

async function check(open: (choices: Choices) => TrialSession): Promise<void> {
  const choices = new Choices();
  const session = open(choices);
  const executor = new Executor(graph, session.maker);
  const decisions: Decision[] = [];
  const before = await choices.listening(
    (decision) => decisions.push(decision),
    () => executor.run(feeds),
  );
  const tasks = tasksOf(decisions);
  expect(tasks.map(({ candidates }) => candidates)).toEqual([['{"times":20}', '{"times":1}', '{"times":-1}']]);
  const { results, left } = await tune(tasks, workbenchOf(open, choices), choices, { budget: 4000 });
  expect(left).toEqual([]);
  expect(results).toMatchObject([{ winner: 1, choice: '{"times":1}', nodes: ["Tanh_0"] }]);
  expect(results[0]!.ratio).toBeGreaterThan(2);
  executor.replan();
  const heard: Decision[] = [];
  const after = await choices.listening(
    (decision) => heard.push(decision),
    () => executor.run(feeds),
  );
  expect(heard.map(({ key }) => choices.has(key))).toEqual([true]);
  expect([...after[0]!.numbers()]).toEqual([...before[0]!.numbers()]);
  await session.release();
}

describe("the faster of a kernel's schedules is found and used", () => {
  test("on WebAssembly", () => {
    const kernels = [wasteful(elementwise(wasmKernels))] as unknown as typeof wasmKernels;
    return check((choices) => {
      const session = new WasmSession(detectDevice(1), kernels, choices);
      return { maker: session, release: () => session.release() };
    });
  });

  test.skipIf(typeof gpu === "string")(`on WebGPU${typeof gpu === "string" ? ` (${gpu})` : ""}`, () => {
    if (typeof gpu === "string") throw new Error(gpu);
    const kernels = [wasteful(elementwise(webgpuKernels))] as unknown as typeof webgpuKernels;
    return check((choices) => {
      const session = new WebgpuSession(gpu, undefined, kernels, [true], {}, choices);
      return { maker: session, release: () => session.release() };
    });
  });
});
