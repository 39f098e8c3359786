import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeModelFile } from "../../src/formats/onnx/node.js";
import { GraphBuilder } from "../../src/graph/index.js";
import { modelOf, noise, perceptron } from "../support/small-models.js";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "nonzero-process-"));
const at = (name: string): string => join(folder, name);

/** The command as a shell starts it. */
const start = (...args: string[]): ChildProcess =>
  spawn(process.execPath, ["--import", "tsx", MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const ended = (child: ChildProcess): Promise<Ended> =>
  new Promise((resolve) => {
    let [stdout, stderr] = ["", ""];
    child.stdout!.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr!.on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });

beforeAll(() => writeModelFile(at("model.onnx"), perceptron()));
afterAll(() => rmSync(folder, { recursive: true }));

describe("as a process", () => {
  test("exit codes, stdout and stderr are the process's own", async () => {
    const [good, bad, different] = await Promise.all([
      ended(start("sparsify", at("model.onnx"), "-o", at("s.onnx"), "-p", "2:4", "--json")),
      ended(start("inspect", at("none.onnx"), "--json")),
      (async () => {
        await writeModelFile(at("other.onnx"), perceptron(4));
        return ended(start("compare", at("model.onnx"), at("other.onnx"), "--tolerance", "1e-3", "--threads", "2"));
      })(),
    ]);
    expect(good).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(good.stdout)).toMatchObject({ pattern: "2:4" });
    expect(bad.code).toBe(3);
    expect(JSON.parse(bad.stdout)).toMatchObject({ error: { code: "not-found", file: at("none.onnx") } });
    expect(bad.stderr).toMatch(/^nonzero: .*none.onnx/);
    expect(different).toMatchObject({ code: 1, stderr: "" });
  });

  test("a reader that goes away is no error", async () => {
    const b = new GraphBuilder();
    let x = b.input("x", "float32", [1, 4]);
    for (let i = 0; i < 2000; i++) x = b.add("MatMul", [x, b.constant(noise([4, 4], i), `w${i}`)]);
    x.type = { dtype: "float32", shape: [1, 4] };
    b.output(x, "y");
    await writeModelFile(at("deep.onnx"), modelOf(b.build()));
    const child = start("inspect", at("deep.onnx"));
    child.stdout!.once("data", () => child.stdout!.destroy());
    const { code, stderr } = await ended(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  test("Ctrl-C while pruning: exit code 130, what was there stays, nothing half-written", async () => {
    const b = new GraphBuilder();
    let x = b.input("x", "float32", [1, 256]);
    const w = b.constant(noise([256, 256], 1), "w0");
    for (let i = 0; i < 200; i++) x = b.add("MatMul", [x, i === 0 ? w : b.constant(noise([256, 256], i), `w${i}`)]);
    x.type = { dtype: "float32", shape: [1, 256] };
    b.output(x, "y");
    await writeModelFile(at("long.onnx"), modelOf(b.build()));
    writeFileSync(at("kept.onnx"), "what was there");
    const before = readdirSync(folder).sort();
    const child = start("sparsify", at("long.onnx"), "-o", at("kept.onnx"), "-p", "shuffled-block:16x16@50%");
    let said = "";
    child.stderr!.on("data", (chunk) => {
      const pruning = /Prune/.test(said);
      said += chunk;
      if (!pruning && /Prune/.test(said)) child.kill("SIGINT");
    });
    const { code, signal, stdout, stderr } = await ended(child);
    expect(stderr).toMatch(/nonzero: .*stopped/);
    expect({ code, signal, stdout }).toEqual({ code: 130, signal: null, stdout: "" });
    expect(readdirSync(folder).sort()).toEqual(before);
  });
});
