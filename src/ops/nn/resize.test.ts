import { describe } from "vitest";
import { type Case, testAgainstOnnxruntime } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import type { AttributeLike } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";

const random = randomSource(456);
const f = (...shape: number[]) => randomTensor(random, shape);
const floats = (...values: number[]) => Tensor.from("float32", [values.length], values);
const longs = (...values: number[]) => Tensor.from("int64", [values.length], values);
const whole = (value: number) => ({ kind: "float", value }) as const;
const u8 = (...shape: number[]) => randomTensor(random, shape, 0, 256, "uint8");
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

for (const mode of ["nearest", "linear", "cubic"])
  for (const ct of ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]) {
    add(
      `rs-${mode}-${ct}-up`,
      "Resize",
      [f(1, 1, 4, 5), null, null, longs(1, 1, 9, 7)],
      { mode, coordinate_transformation_mode: ct },
      1,
      19,
    );
    add(
      `rs-${mode}-${ct}-down`,
      "Resize",
      [f(1, 1, 7, 8), null, null, longs(1, 1, 3, 5)],
      { mode, coordinate_transformation_mode: ct },
      1,
      19,
    );
    if (ct !== "align_corners" && ct !== "half_pixel_symmetric")
      add(
        `rs-${mode}-${ct}-scale`,
        "Resize",
        [f(1, 1, 7, 8), null, floats(1, 1, 0.6, 1.7)],
        { mode, coordinate_transformation_mode: ct },
        1,
        19,
      );
    if (mode !== "nearest")
      add(
        `rs-${mode}-${ct}-excl`,
        "Resize",
        [f(1, 1, 7, 8), null, null, longs(1, 1, 3, 12)],
        { mode, coordinate_transformation_mode: ct, exclude_outside: mode === "cubic" ? 1 : 0, cubic_coeff_a: -0.5 },
        1,
        19,
      );
    if (mode !== "nearest" && ct !== "half_pixel_symmetric")
      add(
        `rs-${mode}-${ct}-aa`,
        "Resize",
        [f(1, 1, 9, 8), null, null, longs(1, 1, 4, 3)],
        { mode, coordinate_transformation_mode: ct, antialias: 1 },
        1,
        19,
      );
  }
for (const nm of ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
  add(
    `rs-nm-${nm}`,
    "Resize",
    [f(1, 1, 4, 5), null, null, longs(1, 1, 8, 10)],
    { mode: "nearest", nearest_mode: nm, coordinate_transformation_mode: "align_corners" },
    1,
    19,
  );
add(
  "rs-crop",
  "Resize",
  [f(1, 1, 4, 5), floats(0, 0, 0.2, -0.2, 1, 1, 0.8, 1.3), null, longs(1, 1, 6, 7)],
  { mode: "linear", coordinate_transformation_mode: "tf_crop_and_resize", extrapolation_value: whole(9) },
  1,
  19,
);
add("rs-axes", "Resize", [f(2, 3, 4, 5), null, null, longs(8, 7)], { mode: "linear", axes: [2, 3] }, 1, 19);
add(
  "rs-axes2",
  "Resize",
  [f(2, 3, 4, 5), null, null, longs(7, 8)],
  { mode: "nearest", axes: [3, 2], keep_aspect_ratio_policy: "not_larger" },
  1,
  19,
);
add(
  "rs-axes3",
  "Resize",
  [f(2, 3, 4, 5), null, null, longs(7, 8)],
  { mode: "linear", axes: [2, 3], keep_aspect_ratio_policy: "not_smaller" },
  1,
  19,
);
add("rs-1d", "Resize", [f(2, 3, 6), null, floats(1, 1, 1.5)], { mode: "linear" }, 1, 19);
add("rs-3d", "Resize", [f(1, 2, 3, 4, 5), null, null, longs(1, 2, 5, 3, 8)], { mode: "linear" }, 1, 19);
add("rs-u8", "Resize", [u8(1, 1, 4, 5), null, null, longs(1, 1, 8, 7)], { mode: "nearest" }, 1, 19);
add("rs10", "Resize", [f(1, 1, 4, 5), floats(1, 1, 2, 0.6)], { mode: "nearest" }, 1, 10);
add("rs10l", "Resize", [f(1, 1, 4, 5), floats(1, 1, 2, 0.6)], { mode: "linear" }, 1, 10);
add(
  "rs11",
  "Resize",
  [f(1, 1, 4, 5), floats(), floats(1, 1, 2, 1.6)],
  { mode: "linear", coordinate_transformation_mode: "tf_half_pixel_for_nn" },
  1,
  11,
);
add("up7", "Upsample", [f(1, 1, 4, 5)], { mode: "nearest", scales: { kind: "floats", value: [1, 1, 2, 3] } }, 1, 7);
add("up9", "Upsample", [f(1, 1, 4, 5), floats(1, 1, 2, 2)], { mode: "linear" }, 1, 9);

describe("Resize", () => {
  testAgainstOnnxruntime(cases);
});
