import { expect, test } from "vitest";
import { difference, runReference } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import { Tensor } from "../../tensor/index.js";

const random = randomSource(5);

/** Parts [batch, rows, heads · size] woven into [batch, rows, heads, parts, size]. */
function pack(parts: readonly Tensor[], heads: number, size: number): Tensor {
  const [batch, rows] = parts[0]!.shape as [number, number];
  const values: number[] = [];
  for (let i = 0; i < batch * rows * heads; i++)
    for (const part of parts) values.push(...part.numbers().slice(i * size, (i + 1) * size));
  return Tensor.from("float32", [batch, rows, heads, parts.length, size], values);
}

test("MultiHeadAttention gives the same for packed and separate query, key and value", () => {
  const parts = [0, 1, 2].map(() => randomTensor(random, [2, 3, 8]));
  const common = { op: "MultiHeadAttention", domain: "com.microsoft", attributes: { num_heads: 2 }, outputs: 3 };
  const separate = runReference({ ...common, inputs: parts });
  expect(difference(runReference({ ...common, inputs: [pack(parts, 2, 4)] }), separate, 0)).toBeNull();
  const keyValue = pack(parts.slice(1), 2, 4);
  expect(difference(runReference({ ...common, inputs: [parts[0]!, keyValue] }), separate, 0)).toBeNull();
});
