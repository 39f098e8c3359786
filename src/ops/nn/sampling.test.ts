import { describe } from "vitest";
import { type Case, testAgainstOnnxruntime } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import type { AttributeLike } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";

const random = randomSource(657);
const f = (...shape: number[]) => randomTensor(random, shape);
const longs = (...values: number[]) => Tensor.from("int64", [values.length], values);
const cases: Record<string, Case> = {};
function add(
  name: string,
  op: string,
  inputs: Case["inputs"],
  attributes: Readonly<Record<string, AttributeLike>> = {},
  outputs = 1,
  version = 21,
): void {
  cases[name] = { op, inputs, attributes, outputs, version };
}

for (const mode of ["linear", "nearest", "cubic"])
  for (const pm of ["zeros", "border", "reflection"])
    for (const ac of [0, 1]) {
      add(
        `gs-${mode}-${pm}-${ac}`,
        "GridSample",
        [f(2, 2, 4, 5), randomTensor(random, [2, 3, 4, 2], -1.7, 1.7)],
        { mode, padding_mode: pm, align_corners: ac },
        1,
        20,
      );
      if (mode !== "cubic")
        add(
          `gs3-${mode}-${pm}-${ac}`,
          "GridSample",
          [f(1, 2, 3, 4, 5), randomTensor(random, [1, 2, 3, 4, 3], -1.7, 1.7)],
          { mode, padding_mode: pm, align_corners: ac },
          1,
          20,
        );
    }
for (const ac of [0, 1]) {
  add(`ag2-${ac}`, "AffineGrid", [f(2, 2, 3), longs(2, 3, 4, 5)], { align_corners: ac }, 1, 20);
  add(`ag3-${ac}`, "AffineGrid", [f(2, 3, 4), longs(2, 3, 2, 4, 5)], { align_corners: ac }, 1, 20);
}
add(
  "deform",
  "DeformConv",
  [f(1, 4, 6, 7), f(6, 2, 3, 2), f(1, 2 * 6 * 2, 4, 6), f(6), f(1, 2 * 6, 4, 6)],
  { group: 2, offset_group: 2 },
  1,
  19,
);

describe("sampling", () => {
  testAgainstOnnxruntime(cases);
});
