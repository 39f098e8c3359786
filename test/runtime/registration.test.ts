import { createRequire } from "node:module";
import type * as common from "onnxruntime-common";
import * as node from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { writeModel } from "../../src/formats/onnx/index.js";
import { EXECUTION_PROVIDER, registerNonzero } from "../../src/node.js";
import { noise, perceptron } from "../support/small-models.js";

/** What a package's sessions are asked and made with; the part that web, node and common share. */
interface Ort {
  readonly InferenceSession: typeof common.InferenceSession;
  readonly Tensor: typeof common.Tensor;
  registerBackend: typeof common.registerBackend;
}

const model = writeModel(perceptron());
const x = noise([3, 16], 7).data as Float32Array;

/** Only our backend refuses to profile with these words. */
const isOurs = (session: common.InferenceSession): boolean => {
  try {
    session.startProfiling();
    session.endProfiling();
    return false;
  } catch (error) {
    return /nonzero bench/.test((error as Error).message);
  }
};

const outputOf = async (ort: Ort, session: common.InferenceSession): Promise<Float32Array> => {
  const { y } = await session.run({ x: new ort.Tensor("float32", x, [3, 16]) });
  expect(y).toBeInstanceOf(ort.Tensor); // of the user's own copy of the class
  return y!.data as Float32Array;
};

const cjs = createRequire(import.meta.url)("onnxruntime-common") as Ort;

describe.each<[string, () => Promise<Ort>]>([
  ["onnxruntime-node", async () => node as unknown as Ort],
  ["onnxruntime-web", async () => (await import("onnxruntime-web")) as unknown as Ort],
])("%s", (_, load) => {
  let ort: Ort;
  let before: Float32Array;
  beforeAll(async () => {
    ort = await load(); // our package has been imported already: that alone changes nothing
    const session = await ort.InferenceSession.create(model);
    expect(isOurs(session)).toBe(false);
    before = await outputOf(ort, session);
  });

  test.each([
    ["by name", { executionProviders: [EXECUTION_PROVIDER] }],
    ["with options", { executionProviders: [{ name: EXECUTION_PROVIDER, threads: 1 }] }],
    ["first of several", { executionProviders: [EXECUTION_PROVIDER, "cpu"] }],
  ])("runs on Nonzero once registered, asked %s", async (_, options) => {
    registerNonzero(ort);
    registerNonzero(ort); // again does no harm
    const session = await ort.InferenceSession.create(model, options as common.InferenceSession.SessionOptions);
    expect(isOurs(session)).toBe(true);
    expect(session.inputNames).toEqual(["x"]);
    const y = await outputOf(ort, session);
    y.forEach((value, i) => {
      expect(Math.abs(value - before[i]!)).toBeLessThanOrEqual(48 * 2 ** -24 * 48);
    });
    await session.release();
  });

  test("keeps its own defaults", async () => {
    registerNonzero(ort);
    for (const options of [{}, { executionProviders: ["cpu"] }]) {
      const session = await ort.InferenceSession.create(model, options);
      expect(isOurs(session)).toBe(false);
      expect(await outputOf(ort, session)).toEqual(before);
    }
  });
});

test("a bare onnxruntime-common has no default backend, and gets none", async () => {
  registerNonzero(cjs);
  const session = await cjs.InferenceSession.create(model, { executionProviders: [EXECUTION_PROVIDER] });
  expect(isOurs(session)).toBe(true);
});
