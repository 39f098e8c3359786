import { expect, test } from "vitest";
import { type Case, runOnnxruntime, runReference } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import { Tensor } from "../../tensor/index.js";

const random = randomSource(11);
const f = (...shape: number[]) => randomTensor(random, shape);

test("GroupQueryAttention agrees with onnxruntime on the rows of a padded prompt that are no padding", async () => {
  const lengths = [5, 3];
  const c: Case = {
    op: "GroupQueryAttention",
    domain: "com.microsoft",
    inputs: [
      f(2, 5, 64),
      f(2, 5, 32),
      f(2, 5, 32),
      null,
      null,
      Tensor.from("int32", [2], [4, 2]),
      Tensor.scalar("int32", 5),
      f(8, 8),
      f(8, 8),
    ],
    attributes: { num_heads: 4, kv_num_heads: 2, do_rotary: 1 },
    outputs: 3,
  };
  const [actual, expected] = [runReference(c), await runOnnxruntime(c)];
  for (const [n, length] of lengths.entries()) {
    const row = (tensors: readonly Tensor[], r: number) =>
      tensors[0]!.numbers().slice((n * 5 + r) * 64, (n * 5 + r + 1) * 64);
    for (let r = 0; r < length; r++) {
      const [have, want] = [row(actual, r), row(expected, r)];
      have.forEach((v, i) => {
        expect(Math.abs(v - want[i]!)).toBeLessThan(80 * 2 ** -23);
      });
    }
  }
});
