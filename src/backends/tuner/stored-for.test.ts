import { describe, expect, it, test } from "vitest";
import { modelOf, noise } from "../../../test/support/small-models.js";
import { type Specialized, specialize } from "../../compiler/index.js";
import { GraphBuilder } from "../../graph/index.js";
import { parseLayout, SparseTensor, toMatrix } from "../../layouts/index.js";
import { Runner } from "../../runtime/index.js";
import { parsePattern } from "../../sparsity/index.js";
import type { Tensor } from "../../tensor/index.js";
import { formsOf as wasmForms } from "../wasm/forms.js";
import { formsOf as webgpuForms } from "../webgpu/forms.js";
import type { DeviceInfo } from "../webgpu/kernel.js";
import { Choices } from "./choices.js";
import { FormCache, type FormsOf, storedFor, type WeightUse } from "./stored-for.js";

function sparse(tensor: Tensor, pattern: string, layout: string, perm: readonly number[], values = "float32") {
  const matrix = toMatrix(tensor, perm);
  const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(Math.abs) });
  return new SparseTensor(
    tensor.shape,
    perm,
    parseLayout(layout).encode(matrix, mask, { values: values as "float32" }),
  );
}

/** y = x · W, and of the same W the rows that ids say; z = a convolution of im. */
function graph(weight: SparseTensor) {
  const b = new GraphBuilder();
  const [x, ids] = [b.input("x", "float32", ["n", 64]), b.input("ids", "int64", [2])];
  const image = b.input("im", "float32", [1, 4, 5, 5]);
  const w = b.constant(weight, "w");
  b.output(b.add("MatMul", [x, w]), "y");
  b.output(b.add("Gather", [w, ids]), "rows");
  const kernel = b.constant(sparse(noise([8, 4, 3, 3], 5), "50%", "csr", [0, 2, 3, 1]), "k");
  b.output(b.add("Conv", [image, kernel]), "z");
  return b.build();
}

const weight = sparse(noise([64, 48], 1), "20%", "csr", [1, 0]);
const specOf = (n: number, w = weight): Specialized =>
  specialize(graph(w), [
    { type: { dtype: "float32", shape: [n, 64] } },
    { type: { dtype: "int64", shape: [2] } },
    { type: { dtype: "float32", shape: [1, 4, 5, 5] } },
  ]);
const constantsOf = (spec: Specialized) =>
  spec.steps.map(({ node }) => node.inputs.map((value) => spec.constants.get(value!)).find((c) => c !== undefined)!);

describe("storedFor", () => {
  it("brings products' and convolutions' weights into the form, and leaves other readers theirs", () => {
    const uses: WeightUse[] = [];
    const formsOf: FormsOf = (_, use) => {
      uses.push(use);
      return [use.op === "conv" ? "bitmask" : "dense"];
    };
    const spec = specOf(8);
    const [product, gather, conv] = constantsOf(storedFor(spec, formsOf, new Choices(), new FormCache()));
    expect(uses).toEqual([
      { op: "linear", rows: 48, cols: 64, tokens: 8, layout: "csr/float32", kept: weight.stored.parts.values!.size },
      { op: "conv", rows: 8, cols: 36, tokens: 9, layout: "csr/float32", kept: 144 },
    ]);
    expect((product as Tensor).numbers()).toEqual(weight.toDense().numbers());
    expect(gather).toBe(weight);
    expect((conv as SparseTensor).stored.layout).toBe("bitmask");
    expect((conv as SparseTensor).toDense().numbers()).toEqual(
      (constantsOf(spec)[2] as SparseTensor).toDense().numbers(),
    );
  });

  it("makes each form once for all plans", () => {
    const cache = new FormCache();
    const made = [8, 9].map((n) => constantsOf(storedFor(specOf(n), () => ["dense"], new Choices(), cache))[0]);
    expect(made[0]).toBe(made[1]);
  });

  it("leaves the graph as it is where nothing changes", () => {
    const spec = specOf(8);
    expect(storedFor(spec, () => ["stored", "dense"], new Choices(), new FormCache())).toBe(spec);
  });
});

const gpu = { subgroups: { min: 32, max: 32 } } as DeviceInfo;
const use = (w: SparseTensor, tokens: number): WeightUse => {
  const { rows, cols, layout, parts } = w.stored;
  const { size, dtype } = parts.values!;
  return { op: "linear", rows, cols, tokens, layout: `${layout}/${dtype}`, kept: size };
};
const first = (formsOf: FormsOf, w: SparseTensor, tokens: number): string => formsOf(w, use(w, tokens))[0];

test("WebAssembly multiplies what is hardly sparse as if dense, the sooner where panels are narrow", () => {
  const at = (pattern: string) => sparse(noise([64, 64], 1), pattern, "csr", [0, 1]);
  expect([5, 15, 30, 50].map((percent) => first(wasmForms, at(`${percent}%`), 256))).toEqual([
    "dense",
    "stored",
    "stored",
    "stored",
  ]);
  expect([10, 25, 50, 90].map((percent) => first(wasmForms, at(`${percent}%`), 4))).toEqual([
    "dense",
    "dense",
    "stored",
    "stored",
  ]);
  const quantized = sparse(noise([64, 64], 1), "5%", "csr", [0, 1], "int8");
  expect(wasmForms(quantized, use(quantized, 256))).toEqual(["stored"]);
});

test.each([
  ["block:16x16@75%", "csr", "bsr:16x16"],
  ["block:32x32@50%", "bitmask", "bsr:32x32"],
  ["8:2:4", "csr", "v:n:m:8:2:4"],
  ["cols@50%", "csr", "cols"],
  ["2:4", "csr", "stored"],
  ["60%", "csr", "stored"],
  ["10%", "csr", "dense"],
  ["block:4x4@75%", "csr", "stored"],
  ["block:16x16@75%", "bsr:16x16", "stored"],
])("a GPU gets %s, stored as %s, as %s", (pattern, layout, form) => {
  const w = sparse(noise([128, 128], 3), pattern, layout, [0, 1]);
  expect(first(webgpuForms(gpu), w, 64)).toBe(form);
  expect(first(webgpuForms(gpu), w, 1)).toBe("stored");
  expect(first(webgpuForms({ subgroups: { min: 4, max: 4 } } as DeviceInfo), w, 64)).toBe("stored");
});

test.each([1, 4, 64])("results are the same for %i tokens, whatever the form", (n) => {
  const feeds = { x: noise([n, 64], 2), ids: noise([2], 1).to("int64"), im: noise([1, 4, 5, 5], 4) };
  const [auto, stored] = (["auto", "stored"] as const).map((layout) => {
    const runner = new Runner(modelOf(graph(weight)), { threads: 1, layout });
    const { y } = runner.run(feeds);
    runner.release();
    return y!.numbers();
  });
  // Sums of 64 products below 1, in another order.
  auto!.forEach((value, i) => expect(Math.abs(Number(value) - Number(stored![i]))).toBeLessThan(64 * 2 ** -23 * 8));
});

test("there are layouts auto and stored", () => {
  expect(() => new Runner(modelOf(graph(weight)), { layout: "csr" as "auto" })).toThrow(
    expect.objectContaining({ code: "invalid-argument", place: { field: "layout" } }),
  );
});
