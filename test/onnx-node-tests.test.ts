import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { everyKernel } from "../src/backends/wasm/kernels/every.js";
import { DEVICES, NODE_TESTS, nodeTestNames, runNodeTest } from "./support/node-tests.js";
import { testGpu } from "./support/webgpu.js";

everyKernel();

/** Cases that do not pass, and why. */
const FAILING: Readonly<Record<string, string>> = {};

/** Share of the cases that must pass. */
const SHARE = 0.97;

describe.skipIf(!existsSync(NODE_TESTS))("ONNX's backend tests (../shared/data/onnx-node-tests)", () => {
  it.for(["reference", "wasm", "webgpu"])("pass on %s, but for those listed", async (device, context) => {
    const gpu = device === "webgpu" ? await testGpu() : null;
    context.skip(typeof gpu === "string", `no GPU: ${gpu}`);
    const failures: Record<string, string> = {};
    const names = nodeTestNames();
    for (const name of names) {
      const { failure } = await runNodeTest(name, DEVICES[device]!);
      if (failure !== null) failures[name] = failure;
    }
    const unexpected = Object.entries(failures).filter(([name]) => !(name in FAILING));
    expect(unexpected).toEqual([]);
    expect(Object.keys(FAILING).filter((name) => !(name in failures))).toEqual([]);
    expect(1 - Object.keys(failures).length / names.length).toBeGreaterThanOrEqual(SHARE);
  });
});
