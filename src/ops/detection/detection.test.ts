import { describe } from "vitest";
import { type Case, testAgainstOnnxruntime } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import type { AttributeLike } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";

const random = randomSource(657);
const f = (...shape: number[]) => randomTensor(random, shape);
const longs = (...values: number[]) => Tensor.from("int64", [values.length], values);
const whole = (value: number) => ({ kind: "float", value }) as const;
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

const rois = Tensor.from("float32", [3, 4], [0.5, 1, 6, 7, -2, -1, 4, 3.5, 2, 2, 2.2, 2.3]);
for (const mode of ["avg", "max"])
  for (const ct of ["half_pixel", "output_half_pixel"])
    for (const s of [0, 2])
      add(
        `roi-${mode}-${ct}-${s}`,
        "RoiAlign",
        [f(2, 2, 8, 9), rois, longs(0, 1, 1)],
        {
          mode,
          coordinate_transformation_mode: ct,
          sampling_ratio: s,
          output_height: 3,
          output_width: 2,
          spatial_scale: 0.9,
        },
        1,
        16,
      );
add(
  "roi10",
  "RoiAlign",
  [f(2, 2, 8, 9), rois, longs(0, 1, 1)],
  { sampling_ratio: 2, output_height: 3, output_width: 2 },
  1,
  10,
);
add(
  "maxroi",
  "MaxRoiPool",
  [f(2, 2, 8, 9), Tensor.from("float32", [3, 5], [0, 1, 1, 6, 7, 1, 2.5, 1, 4, 3.5, 1, 2, 2, 2.2, 9.3])],
  { pooled_shape: [3, 2], spatial_scale: whole(1) },
  1,
  21,
);
for (const cp of [0, 1])
  add(
    `nms${cp}`,
    "NonMaxSuppression",
    [
      randomTensor(random, [2, 12, 4], 0.2, 1),
      randomTensor(random, [2, 3, 12], 0, 1),
      longs(5).reshape([1]),
      Tensor.from("float32", [1], [0.3]),
      Tensor.from("float32", [1], [0.4]),
    ],
    { center_point_box: cp },
    1,
    11,
  );

describe("detection", () => {
  testAgainstOnnxruntime(cases);
});
