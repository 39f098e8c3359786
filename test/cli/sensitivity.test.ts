import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeNpy } from "../../src/cli/npy.js";
import { writeModelFile } from "../../src/formats/onnx/node.js";
import type { Trial } from "../../src/prune/index.js";
import { cli } from "../support/cli.js";
import { noise, perceptron } from "../support/small-models.js";

const folder = mkdtempSync(join(tmpdir(), "nonzero-sensitivity-"));
const at = (...parts: string[]): string => join(folder, ...parts);
const linesOf = (file: string): string[] => readFileSync(file, "utf8").trimEnd().split("\n");

beforeAll(async () => {
  await writeModelFile(at("model.onnx"), perceptron());
  mkdirSync(at("samples"));
  for (let i = 0; i < 3; i++) writeNpy(at("samples", `${i}.npy`), noise([8, 16], 10 + i));
});
afterAll(() => rmSync(folder, { recursive: true }));

const sweep = (...more: string[]) =>
  cli("sensitivity", at("model.onnx"), "-o", at("sweep.jsonl"), "--calibrate", at("samples"), ...more);
const sparsify = (...more: string[]) =>
  cli(
    "sparsify",
    at("model.onnx"),
    "-o",
    at("pruned.onnx"),
    "--method",
    "sparsegpt",
    "--calibrate",
    at("samples"),
    ...more,
  );
const patternsOf = (stdout: string): string[] => JSON.parse(stdout).weights.map((w: { pattern: string }) => w.pattern);

test("a sweep goes on where it stopped, and a pruning chooses from it", async () => {
  const first = await sweep("--pattern", "50%", "75%", "--json");
  expect(first.code).toBe(0);
  const trials: Trial[] = JSON.parse(first.stdout).trials;
  expect(trials.map(({ weight, pattern }) => `${weight} ${pattern}`)).toEqual(
    ["fc1.weight", "fc2.weight"].flatMap((weight) => [`${weight} 50%`, `${weight} 75%`]),
  );
  const written = linesOf(at("sweep.jsonl"));
  expect(written.slice(1).map((line) => JSON.parse(line))).toEqual(trials);

  appendFileSync(at("sweep.jsonl"), written[1]!.slice(0, 40)); // as a kill leaves it
  const second = await sweep("--pattern", "75%", "90%");
  expect(second.code).toBe(0);
  expect(second.stdout).toMatch(/75%.*90%/);
  expect(linesOf(at("sweep.jsonl")).slice(0, written.length)).toEqual(written);
  expect(linesOf(at("sweep.jsonl"))).toHaveLength(written.length + 2);

  const pruned = await sparsify("--allocate", at("sweep.jsonl"), "--budget", "sparsity=70%", "--json");
  expect(pruned.code).toBe(0);
  const patterns = patternsOf(pruned.stdout);
  const zeros = JSON.parse(pruned.stdout).weights.map(
    (w: { sparsity: number; shape: number[] }) => w.sparsity * w.shape[0]! * w.shape[1]!,
  );
  expect(zeros[0] + zeros[1]).toBeGreaterThanOrEqual(0.7 * (512 + 256));
  expect(patterns.every((pattern) => trials.some((trial) => trial.pattern === pattern) || pattern === "90%")).toBe(
    true,
  );
  const little = await sparsify("--allocate", at("sweep.jsonl"), "--budget", "bytes=3.05kB", "--json");
  expect(patternsOf(little.stdout)).toContain("dense");
});

test("what is wrong is said", async () => {
  await sweep();
  const wrong = async (...args: string[]) => (await sparsify(...args)).stderr;
  expect(await wrong("--allocate", at("sweep.jsonl"))).toContain("--budget");
  expect(await wrong("--budget", "bytes=1MB")).toContain("--allocate");
  expect(await wrong("--allocate", at("sweep.jsonl"), "--budget", "bytes=10%")).toContain("neither");
  expect(await wrong("--allocate", at("sweep.jsonl"), "--budget", "sparsity=99.9%")).toContain("at most");
  expect(await wrong("--allocate", at("none.jsonl"), "--budget", "sparsity=50%")).toContain("no such file");
  writeFileSync(at("bad.jsonl"), `${linesOf(at("sweep.jsonl"))[0]}\n{"weight": 3}\n`);
  expect(await wrong("--allocate", at("bad.jsonl"), "--budget", "sparsity=50%")).toContain("bad.jsonl:2");
  await writeModelFile(at("other.onnx"), perceptron(3));
  const { stderr } = await cli("sensitivity", at("other.onnx"), "-o", at("sweep.jsonl"), "--calibrate", at("samples"));
  expect(stderr).toContain("a sweep of model.onnx");
});
