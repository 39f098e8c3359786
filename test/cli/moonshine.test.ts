import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { cli } from "../support/cli.js";

const ENCODER = fileURLToPath(
  new URL("../../node_modules/@usefulsensors/moonshine-js/dist/model/tiny/float/encoder_model.onnx", import.meta.url),
);
const folder = mkdtempSync(join(tmpdir(), "nonzero-moonshine-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!existsSync(ENCODER))("Moonshine tiny's encoder (needs @usefulsensors/moonshine-js)", () => {
  /** The weights that were pruned, as `inspect --json` finds them in the file. */
  const pruned = async (...options: string[]) => {
    const output = join(folder, "sparse.onnx");
    const { stdout } = await cli("sparsify", ENCODER, "-o", output, ...options, "--json");
    const names = new Set((JSON.parse(stdout).weights as { name: string }[]).map(({ name }) => name));
    const listed = JSON.parse((await cli("inspect", output, "--json")).stdout).weights as {
      name: string;
      kind: string;
      parameters: number;
      bytes: number;
      layout: string;
      pattern: string;
    }[];
    return listed.filter(({ name }) => names.has(name));
  };
  const sum = (weights: readonly { parameters: number; bytes: number }[], key: "parameters" | "bytes") =>
    weights.reduce((total, weight) => total + weight[key], 0);

  test("2:4 in float16 takes 9/16 of the dense float16 bytes, within 3 %", async () => {
    const weights = await pruned("-p", "2:4", "--dtype", "float16");
    expect(sum(weights, "parameters")).toBeGreaterThan(5e6);
    const share = sum(weights, "bytes") / (2 * sum(weights, "parameters"));
    expect(Math.abs(share / (9 / 16) - 1)).toBeLessThanOrEqual(0.03);
    const linear = weights.filter(({ kind }) => kind === "linear");
    expect(linear.length).toBeGreaterThan(30);
    for (const weight of linear) expect(weight).toMatchObject({ layout: "semi-structured", pattern: "2:4" });
  });

  test("unstructured 90 % takes at most 0.2 of the dense float32 bytes", async () => {
    const weights = await pruned("-p", "90%");
    expect(sum(weights, "bytes") / (4 * sum(weights, "parameters"))).toBeLessThanOrEqual(0.2);
  });
});
