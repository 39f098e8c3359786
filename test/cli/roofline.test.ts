import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RooflineRow } from "../../src/cli/bench/roofline.js";
import { writeModel } from "../../src/formats/onnx/index.js";
import { GraphBuilder } from "../../src/graph/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { cli } from "../support/cli.js";
import { MACHINE } from "../support/machine.js";

let folder: string;
let machine: string;
let model: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nonzero-roofline-"));
  machine = join(folder, "machine.json");
  model = join(folder, "model.onnx");
  writeFileSync(machine, JSON.stringify(MACHINE));
  const b = new GraphBuilder("linear");
  const weight = new Tensor(
    "float32",
    [128, 64],
    Float32Array.from({ length: 8192 }, (_, i) => Math.sin(i)),
  );
  const y = b.add("MatMul", [b.input("x", "float32", ["tokens", 128]), b.constant(weight, "w")], {}, { name: "up" });
  const z = b.add("Softmax", [y]);
  z.type = { dtype: "float32", shape: ["tokens", 64] };
  b.output(z, "z");
  const rest = { irVersion: 10, producer: "test", metadata: new Map() };
  writeFileSync(model, writeModel({ graph: b.build(), opsets: new Map([["", 21]]), ...rest }));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("nonzero inspect --predict", () => {
  test("says what each pattern brings, and where it does not pay", async () => {
    const args = ["inspect", model, "--predict", "--machine", machine, "--pattern", "2:4", "90%"];
    const many = await cli(...args, "--dim", "tokens=96");
    expect(many.stdout).toMatch(/up +1 +64×128 +96/);
    expect(many.stdout).toMatch(/90% +\d+\.\d\d ms +\d+\.\d\d× +1 of 1/);
    expect(many.stdout).toContain("not calibrated, taken from the machine's peaks: softmax");
    const one = await cli(...args);
    expect(one.stdout).toMatch(/where it does not pay[\s\S]*2:4: /);
  });

  test("prints JSON, and errors as every command does", async () => {
    const args = ["inspect", model, "--predict", "--pattern", "2:4", "--json", "--machine"];
    const { patterns, layers } = JSON.parse((await cli(...args, machine)).stdout);
    expect(patterns).toMatchObject([{ pattern: "2:4", layersThatPay: expect.any(Number) }]);
    expect(layers[0].patterns[0]).toMatchObject({ layout: "semi-structured", speedup: expect.any(Number) });
    expect((await cli(...args, join(folder, "none.json"))).code).toBe(3);
    expect((await cli(...args, model)).code).toBe(2);
  });
});

describe("nonzero bench roofline", () => {
  const quick = ["--machine", "", "--seconds", "0.001", "--json"];
  const rowsOf = async (...args: string[]): Promise<RooflineRow[]> => {
    quick[1] = machine;
    return JSON.parse((await cli("bench", "roofline", ...args, ...quick)).stdout).rows;
  };

  test("times each step of a model beside its limit", async () => {
    const rows = await rowsOf(model, "--dim", "tokens=32");
    expect(rows.map(({ kernel }) => kernel)).toEqual(["linear", "softmax"]);
    expect(rows[0]).toMatchObject({ multiply_adds: 32 * 64 * 128, bytes: 4 * (64 * 128 + 32 * 192) });
    for (const { median_ms, limit_ms, share_of_limit } of rows)
      expect(share_of_limit).toBeCloseTo(limit_ms! / median_ms, 6);
  });

  test("times a product dense and under patterns", async () => {
    const rows = await rowsOf("--m", "32", "--k", "64", "--n", "16", "--pattern", "2:4", "90%");
    expect(rows.map(({ name }) => name)).toEqual(["dense", "2:4", "90%"]);
    expect(rows.map((row) => row.multiply_adds)).toEqual([32768, 16384, 205 * 16]);
  });

  test("wants a model or a shape", async () => {
    expect((await cli("bench", "roofline", "--m", "3", "--machine", machine)).code).toBe(2);
    expect((await cli("bench", "roofline", model, "--m", "1", "--k", "1", "--n", "1", "--machine", machine)).code).toBe(
      2,
    );
  });
});

test("nonzero machine prints a machine that was written down", async () => {
  const { stdout } = await cli("machine", "--machine", machine);
  expect(stdout).toContain("a test's processor, no engine, 1 thread");
  expect(stdout).toMatch(/float32 +30\.0/);
  expect(JSON.parse((await cli("machine", "--machine", machine, "--json")).stdout)).toEqual(MACHINE);
});
