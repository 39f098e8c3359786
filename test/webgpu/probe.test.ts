import { expect, test } from "vitest";
import { machineFrom } from "../../src/backends/roofline/index.js";
import { probeGpu } from "../../src/backends/webgpu/index.js";
import { describeGpu } from "../support/check-webgpu.js";
import { testGpu } from "../support/webgpu.js";

describeGpu("probeGpu", () => {
  test("measures peaks, names a processor that plays GPU, and can be stopped", async () => {
    const gpu = await testGpu();
    if (typeof gpu === "string") return;
    const shares: number[] = [];
    const options = { engine: "a test", budget: 0.1, onProgress: (share: number) => shares.push(share) };
    const machine = machineFrom(JSON.parse(JSON.stringify(await probeGpu(gpu, options))));
    const { float32, levels } = machine.all;
    expect(machine).toMatchObject({ device: "webgpu", name: gpu.description, families: {} });
    expect(machine.software).toBe(/swiftshader|llvmpipe/i.test(gpu.description));
    for (const rate of [float32, ...levels.flatMap(({ read, copy }) => [read, copy])])
      expect(rate).toBeGreaterThan(1e6);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    const controller = new AbortController();
    controller.abort();
    await expect(probeGpu(gpu, { engine: "", signal: controller.signal })).rejects.toMatchObject({ code: "aborted" });
  });
});
