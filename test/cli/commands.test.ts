import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { difference } from "../../src/cli/commands/compare.js";
import { report } from "../../src/cli/exit.js";
import { npyBytes, readNpy } from "../../src/cli/npy.js";
import { readModelFile, writeModelFile } from "../../src/formats/onnx/node.js";
import { GraphBuilder } from "../../src/graph/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { cli } from "../support/cli.js";
import { modelOf, noise, perceptron } from "../support/small-models.js";

const folder = mkdtempSync(join(tmpdir(), "nonzero-cli-"));
const at = (name: string): string => join(folder, name);
const MODEL = at("model.onnx");
const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await cli(...args, "--json");
  return { code, stderr, result: JSON.parse(stdout) };
};
const leftovers = (path = folder): string[] => readdirSync(path).filter((name) => name.includes(".tmp"));

beforeAll(async () => {
  await writeModelFile(MODEL, perceptron());
  await writeModelFile(at("other.onnx"), perceptron(9));
  writeFileSync(at("x.npy"), npyBytes(noise([3, 16], 5)));
  const b = new GraphBuilder();
  b.output(b.add("Frobnicate", [b.input("x", "float32", [1])], {}, { name: "frob" }), "y");
  const unknown = modelOf(b.build());
  unknown.graph.outputs[0]!.type = { dtype: "float32", shape: [1] };
  await writeModelFile(at("unknown.onnx"), unknown);
  await writeModelFile(at("truncated.onnx"), perceptron());
  truncateSync(at("truncated.onnx"), 700);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("--help", () => {
  test.each([
    [[]],
    [["inspect"]],
    [["sparsify"]],
    [["run"]],
    [["compare"]],
    [["bench"]],
    [["bench", "matmul"]],
    [["eval"]],
    [["samples"]],
  ])("nonzero %s --help", async (command) => {
    const { code, stdout, stderr } = await cli(...command, "--help");
    expect(code).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toContain(`Usage: ${["nonzero", ...command].join(" ")}`);
  });
  test("says the version", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(await cli("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });
  test("is what comes without a command, as an error", async () => {
    const { code, stdout, stderr } = await cli();
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("nonzero sparsify model.onnx -o sparse.onnx --pattern 2:4");
  });
});

describe("errors", () => {
  const out = () => at("never.onnx");
  test.each<[string, () => string[], number, RegExp]>([
    ["an unknown command", () => ["inspekt", MODEL], 2, /unknown command 'inspekt'.*Did you mean inspect/s],
    ["an unknown option", () => ["inspect", MODEL, "--patern"], 2, /unknown option/],
    ["no output", () => ["sparsify", MODEL], 2, /--output/],
    [
      "a bad pattern",
      () => ["sparsify", MODEL, "-o", out(), "--pattern", "2-4"],
      2,
      /--pattern: '2-4' is not a pattern such as/,
    ],
    [
      "a pattern that makes no sense",
      () => ["sparsify", MODEL, "-o", out(), "--pattern", "5:4"],
      2,
      /--pattern: n:m needs/,
    ],
    ["a bad dtype", () => ["sparsify", MODEL, "-o", out(), "--dtype", "int3"], 2, /float32, float16, bfloat16, int8/],
    [
      "no such layer",
      () => ["sparsify", MODEL, "-o", out(), "--pattern", "2:4", "--layers", "conv*"],
      3,
      /'conv\*'.*'fc1.weight'/,
    ],
    ["a bad device", () => ["run", MODEL, "--device", "gpu"], 2, /wasm/],
    ["bad threads", () => ["run", MODEL, "--threads", "0"], 2, /at least 1/],
    ["a bad tolerance", () => ["compare", MODEL, MODEL, "--tolerance", "small"], 2, /such as 1e-3/],
    ["a bad dimension", () => ["run", MODEL, "--dim", "n"], 2, /NAME=SIZE/],
    ["a bad input", () => ["run", MODEL, "--input", "x"], 2, /NAME=FILE.npy/],
    ["an unknown input", () => ["run", MODEL, "--input", `z=${at("x.npy")}`], 3, /no input 'z'; it has 'x'/],
    ["a missing array", () => ["run", MODEL, "--input", "x=none.npy"], 3, /none.npy.*no such file/],
    ["a missing file", () => ["inspect", at("none.onnx")], 3, /none.onnx.*there is no file/],
    ["a truncated model", () => ["inspect", at("truncated.onnx")], 3, /truncated.onnx/],
    ["no model at all", () => ["run", at("x.npy")], 3, /x.npy.*ONNX/],
    ["an operator that there is not", () => ["run", at("unknown.onnx")], 4, /unknown.onnx.*frob.*Frobnicate/],
    ["a folder as a model", () => ["inspect", folder], 5, /nonzero-cli/],
    [
      "an output folder that is not there",
      () => ["sparsify", MODEL, "-o", at("no/out.onnx"), "-p", "2:4"],
      5,
      /no\/out.onnx/,
    ],
    ["a folder in the output's place", () => ["sparsify", MODEL, "-o", folder, "-p", "2:4"], 5, /nonzero-cli/],
  ])("%s", async (_, args, code, message) => {
    const plain = await cli(...args());
    expect(plain).toMatchObject({ code, stdout: "" });
    expect(plain.stderr).toMatch(message);
    expect(plain.stderr).not.toMatch(/\n {4}at /); // no stack
    const machine = await json(...args());
    expect(machine.code).toBe(code);
    expect(machine.result.error).toMatchObject({ code: expect.any(String), reason: expect.any(String) });
    expect(existsSync(out())).toBe(false);
    expect(leftovers()).toEqual([]);
    expect(leftovers(tmpdir()).filter((name) => name.includes("nonzero-cli"))).toEqual([]);
  });

  test("a bug keeps its stack and has a code of its own", () => {
    const spy = vi.spyOn(console, "error").mockImplementation(() => {});
    expect(report(new TypeError("x is not a function"), false)).toBe(70);
    expect(spy.mock.calls[0]![0]).toMatch(/this is a bug in Nonzero: TypeError: x is not a function\n {4}at /);
    spy.mockRestore();
  });
});

describe("inspect", () => {
  test("lists the weights", async () => {
    const { code, stdout, stderr } = await cli("inspect", MODEL);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const text of ["fc1.weight", "MatMul", "16×32", "float32", "512", "dense", "768 multiply-adds"])
      expect(stdout).toContain(text);
  });
  test("--json, with sizes for named dimensions", async () => {
    const { result } = await json("inspect", MODEL, "--dim", "n=10");
    expect(result).toMatchObject({
      file: MODEL,
      bytes: readFileSync(MODEL).length,
      inputs: [{ name: "x", dtype: "float32", shape: ["n", 16] }],
      outputs: [{ name: "y", dtype: "float32", shape: ["n", 8] }],
      parameters: 768,
      multiplyAdds: 7680,
    });
    expect(result.weights[0]).toMatchObject({
      name: "fc1.weight",
      nodes: ["/fc1/MatMul"],
      operators: ["MatMul"],
      shape: [16, 32],
      dtype: "float32",
      parameters: 512,
      sparsity: 0,
      pattern: "dense",
      layout: "dense",
      bytes: 2048,
      multiplyAdds: 5120,
    });
    expect(result.weights[0].share).toBeCloseTo(2 / 3, 12);
  });
  test("shows the pattern and the layout of a sparse model", async () => {
    await cli("sparsify", MODEL, "-o", at("inspected.onnx"), "-p", "2:4", "--dtype", "float16");
    const { stdout } = await cli("inspect", at("inspected.onnx"));
    expect(stdout).toMatch(/fc1.weight .* 50\.0 % +2:4 +semi-structured/);
    const { result } = await json("inspect", at("inspected.onnx"));
    for (const weight of result.weights) {
      expect(weight).toMatchObject({ pattern: "2:4", layout: "semi-structured", sparsity: 0.5 });
      expect(weight.bytes / (2 * weight.parameters)).toBeCloseTo(9 / 16, 12);
    }
  });
});

describe("sparsify", () => {
  test("results on stdout, progress on stderr", async () => {
    const { code, stdout, stderr } = await cli("sparsify", MODEL, "-o", at("s.onnx"), "--pattern", "2:4");
    expect(code).toBe(0);
    expect(stdout).toMatch(/\/fc1\/MatMul +16×32 +50\.0 % +semi-structured/);
    expect(stdout).not.toContain("Prune");
    expect(stderr).toContain("Prune to 2:4");
    expect(stderr).toContain(`Write ${at("s.onnx")}`);
  });
  test("--json says what became of each weight, and stderr is quiet", async () => {
    const { result, stderr } = await json("sparsify", MODEL, "-o", at("s.onnx"), "-p", "2:4", "--skip", "fc2*");
    expect(stderr).toBe("");
    expect(result).toMatchObject({
      input: MODEL,
      output: at("s.onnx"),
      pattern: "2:4",
      dtype: null,
      bytesBefore: readFileSync(MODEL).length,
      bytesAfter: readFileSync(at("s.onnx")).length,
    });
    expect(result.weights).toEqual([
      {
        name: "fc1.weight",
        nodes: ["/fc1/MatMul"],
        shape: [16, 32],
        pattern: "2:4",
        sparsity: 0.5,
        layout: "semi-structured",
        denseBytes: 2048,
        bytes: 1024 + 64, // half the values, and two bits for each
        error: null, // magnitude looks at no samples
        notes: [],
        milliseconds: expect.any(Number),
      },
    ]);
  });
  test.each(["float32", "int8"])(
    "--dense gives the same numbers as plain ONNX, in onnxruntime too (%s)",
    async (dtype) => {
      const options = ["-p", "2:4", ...(dtype === "float32" ? [] : ["--dtype", dtype])];
      await cli("sparsify", MODEL, "-o", at("packed.onnx"), ...options);
      const { result } = await json("sparsify", MODEL, "-o", at("dense.onnx"), ...options, "--dense");
      for (const weight of result.weights) expect(weight).toMatchObject({ layout: "dense", bytes: weight.denseBytes });
      expect([...readModelFile(at("dense.onnx")).opsets.keys()]).toEqual([""]);
      const compared = await json(
        "compare",
        at("packed.onnx"),
        at("dense.onnx"),
        "--dim",
        "n=4",
        "--tolerance",
        "1e-6",
      );
      expect(compared.code).toBe(0);
      await json("run", at("packed.onnx"), "--input", `x=${at("x.npy")}`, "--output", at("ours"));
      const session = await ort.InferenceSession.create(at("dense.onnx"));
      const x = readNpy(at("x.npy"));
      const { y } = await session.run({ x: new ort.Tensor("float32", x.data as Float32Array, x.shape) });
      const ours = readNpy(join(at("ours"), "y.npy")).numbers();
      (y!.data as Float32Array).forEach((value, i) => {
        expect(Math.abs(value - ours[i]!)).toBeLessThanOrEqual(48 * 2 ** -24 * 48);
      });
    },
  );
  test("without a pattern packs the zeros that are there", async () => {
    await cli("sparsify", MODEL, "-o", at("zeros.onnx"), "-p", "2:4", "--dense");
    const { result } = await json("sparsify", at("zeros.onnx"), "-o", at("again.onnx"));
    expect(result).toMatchObject({ pattern: null });
    for (const weight of result.weights) expect(weight.layout).toBe("semi-structured");
  });
  test("may write over its own input", async () => {
    writeFileSync(at("own.onnx"), readFileSync(MODEL));
    const { result } = await json("sparsify", at("own.onnx"), "-o", at("own.onnx"), "-p", "2:4");
    expect(result.bytesBefore).toBe(readFileSync(MODEL).length);
    expect(result.bytesAfter).toBe(readFileSync(at("own.onnx")).length);
    expect((await json("inspect", at("own.onnx"))).result.weights[0].pattern).toBe("2:4");
    expect(leftovers()).toEqual([]);
  });
});

describe("run", () => {
  test("prints what comes out", async () => {
    const { code, stdout, stderr } = await cli("run", MODEL, "--dim", "n=2", "--threads", "1");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/y +float32 +2×8/);
    expect(stdout).toContain("first run on wasm, 1 thread,");
  });
  test("inputs from .npy, outputs to .npy, the same on each device", async () => {
    const outputs: number[][] = [];
    for (const device of ["wasm", "reference"]) {
      const { result } = await json(
        "run",
        MODEL,
        "--input",
        `x=${at("x.npy")}`,
        "--device",
        device,
        "--output",
        at(device),
        "--plan",
      );
      expect(result).toMatchObject({
        model: MODEL,
        device,
        threads: expect.any(Number),
        milliseconds: expect.any(Number),
      });
      const [y] = result.outputs;
      expect(y).toMatchObject({ name: "y", dtype: "float32", shape: [3, 8], file: join(at(device), "y.npy") });
      const tensor = readNpy(y.file);
      expect(tensor.shape).toEqual([3, 8]);
      expect([...tensor.numbers()].slice(0, 4)).toEqual(y.first);
      expect(y.min).toBe(Math.min(...tensor.numbers()));
      expect(result.plan.length).toBeGreaterThan(0);
      outputs.push([...tensor.numbers()]);
    }
    outputs[0]!.forEach((value, i) => {
      expect(Math.abs(value - outputs[1]![i]!)).toBeLessThanOrEqual(48 * 2 ** -24 * 48);
    });
  });
  test("random inputs are the same for the same seed", async () => {
    const first = async (...args: string[]) => (await json("run", MODEL, ...args)).result.outputs[0].first;
    expect(await first("--input", "random:3")).toEqual(await first("--input", "x=random:3"));
    expect(await first("--input", "random:3")).not.toEqual(await first("--input", "random:4"));
  });
  test("outputs whose names make the same file name get files of their own", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [2]);
    for (const [op, name] of [
      ["Neg", "a/b"],
      ["Abs", "a:b"],
    ] as const) {
      const y = b.add(op, [x]);
      y.type = { dtype: "float32", shape: [2] };
      b.output(y, name);
    }
    await writeModelFile(at("names.onnx"), modelOf(b.build()));
    const { result } = await json("run", at("names.onnx"), "--output", at("names"));
    expect(result.outputs.map(({ file }: { file: string }) => file)).toEqual([
      join(at("names"), "a_b.npy"),
      join(at("names"), "a_b_2.npy"),
    ]);
    const [minus, size] = ["a_b.npy", "a_b_2.npy"].map((name) => [...readNpy(join(at("names"), name)).numbers()]);
    expect(size).toEqual(minus!.map(Math.abs));
  });
  test("a shape that the model does not take is named", async () => {
    writeFileSync(at("wide.npy"), npyBytes(noise([3, 17], 5)));
    const { code, stderr } = await cli("run", MODEL, "--input", `x=${at("wide.npy")}`);
    expect(code).toBe(3);
    expect(stderr).toMatch(/model.onnx, field 'x': the input has shape \[3,17\], the model takes \[n, 16\]/);
  });
});

describe("compare", () => {
  test("a model with itself", async () => {
    const { code, result } = await json("compare", MODEL, MODEL, "--tolerance", "0");
    expect(code).toBe(0);
    expect(result).toMatchObject({ a: MODEL, b: MODEL, device: "wasm" });
    expect(result.outputs).toEqual([
      { name: "y", dtype: "float32", shape: [1, 8], absolute: 0, relative: 0, cosine: expect.closeTo(1, 6) },
    ]);
  });
  test("a tolerance that does not hold is exit code 1; without one it is not", async () => {
    expect((await cli("compare", MODEL, at("other.onnx"), "--tolerance", "1e-3")).code).toBe(1);
    const { code, stdout } = await cli("compare", MODEL, at("other.onnx"));
    expect(code).toBe(0);
    expect(stdout).toContain("cosine");
  });
  test("models with other inputs or outputs: the file is named", async () => {
    const b = new GraphBuilder();
    const y = b.add("Neg", [b.input("x", "float32", ["n", 16])]);
    y.type = { dtype: "float32", shape: ["n", 16] };
    b.output(y, "z");
    await writeModelFile(at("z.onnx"), modelOf(b.build()));
    const { code, stderr } = await cli("compare", MODEL, at("z.onnx"));
    expect(code).toBe(3);
    expect(stderr).toMatch(/z.onnx.*no output 'y'/);
  });
  test("numbers, NaN and texts", () => {
    const of = (...values: number[]) => Tensor.from("float32", [values.length], values);
    expect(difference("y", of(3, -4), of(3, -2))).toEqual({
      absolute: 2,
      relative: 0.5,
      cosine: expect.closeTo(17 / (5 * Math.sqrt(13)), 12),
    });
    expect(difference("y", of(Number.NaN, Infinity), of(Number.NaN, Infinity))).toMatchObject({
      absolute: 0,
      relative: 0,
    });
    expect(difference("y", of(1, Number.NaN), of(1, 2)).absolute).toBeNaN();
    expect(difference("y", of(0, 0), of(0, 0))).toEqual({ absolute: 0, relative: 0, cosine: 1 });
    const texts = (...values: string[]) => new Tensor("string", [values.length], values);
    expect(difference("y", texts("a"), texts("a")).absolute).toBe(0);
    expect(difference("y", texts("a"), texts("b")).absolute).toBe(Infinity);
    expect(() => difference("y", of(1), of(1, 2))).toThrow(/field 'y'/);
  });
});

test("a full disk leaves what was there, and is exit code 5", async ({ skip }) => {
  const disk = at("disk");
  mkdirSync(disk);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], { stdio: "ignore" });
  } catch {
    skip("needs the right to mount a small tmpfs");
  }
  try {
    const output = join(disk, "out.onnx");
    writeFileSync(output, "what was there");
    const b = new GraphBuilder();
    const y = b.add("MatMul", [b.input("x", "float32", [1, 128]), b.constant(noise([128, 128], 1), "w")]);
    y.type = { dtype: "float32", shape: [1, 128] };
    b.output(y, "y");
    await writeModelFile(at("wide.onnx"), modelOf(b.build()));
    const { code, stderr } = await cli("sparsify", at("wide.onnx"), "-o", output, "-p", "2:4");
    expect(code).toBe(5);
    expect(stderr).toMatch(/out.onnx: ENOSPC/);
    const run = await cli("run", at("wide.onnx"), "--output", disk);
    expect(run.code).toBe(0); // a small result still fits
    expect(readFileSync(output, "utf8")).toBe("what was there");
    expect(readdirSync(disk).sort()).toEqual(["out.onnx", "y.npy"]);
  } finally {
    execFileSync("umount", [disk]);
  }
});
