import { describe } from "vitest";
import { type Case, testAgainstOnnxruntime } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import type { AttributeLike } from "../../graph/index.js";

const random = randomSource(236);
const f = (...shape: number[]) => randomTensor(random, shape);
const i8 = (...shape: number[]) => randomTensor(random, shape, -127, 128, "int8");
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

add("conv1", "Conv", [f(2, 4, 9), f(6, 2, 3), f(6)], { group: 2, strides: [2], pads: [1, 2], dilations: [2] });
add("conv3", "Conv", [f(1, 2, 4, 5, 6), f(3, 2, 2, 3, 2)], { strides: [1, 2, 1], pads: [0, 1, 1, 1, 0, 1] });
for (const p of ["SAME_UPPER", "SAME_LOWER", "VALID"]) {
  add(`conv${p}`, "Conv", [f(1, 2, 7, 6), f(3, 2, 4, 3)], { auto_pad: p, strides: [2, 2] });
  add(`convT${p}`, "ConvTranspose", [f(1, 4, 5, 4), f(4, 3, 4, 3), f(6)], { auto_pad: p, strides: [2, 3], group: 2 });
  add(`convTos${p}`, "ConvTranspose", [f(1, 2, 5, 4), f(2, 3, 3, 3)], {
    auto_pad: p,
    strides: [2, 2],
    output_shape: [10, 9],
  });
  for (const op of ["MaxPool", "AveragePool", "LpPool"]) {
    for (const ceil_mode of [0, 1])
      add(op + p + ceil_mode, op, [f(1, 2, 7, 6)], { auto_pad: p, strides: [2, 2], kernel_shape: [3, 2], ceil_mode });
  }
}
add("convTop", "ConvTranspose", [f(1, 2, 5, 4), f(2, 3, 3, 3)], {
  strides: [2, 2],
  output_padding: [1, 1],
  pads: [1, 0, 1, 1],
  dilations: [2, 1],
});
add("convTos", "ConvTranspose", [f(1, 2, 5, 4), f(2, 3, 3, 3)], { strides: [2, 2], output_shape: [10, 9] });
add("convTos2", "ConvTranspose", [f(1, 2, 5, 4), f(2, 3, 3, 3)], {
  strides: [2, 2],
  output_shape: [10, 8],
  output_padding: [1, 0],
});
add("convT1", "ConvTranspose", [f(2, 2, 5), f(2, 3, 3)], { strides: [2] });
add("convT3", "ConvTranspose", [f(1, 2, 3, 2, 3), f(2, 2, 2, 2, 3)], { strides: [2, 1, 2] });
for (const inc of [0, 1])
  for (const cm of [0, 1]) {
    add(`avg${inc}${cm}`, "AveragePool", [f(1, 2, 8, 9)], {
      kernel_shape: [3, 3],
      strides: [2, 3],
      pads: [1, 1, 1, 1],
      count_include_pad: inc,
      ceil_mode: cm,
    });
    add(`avgd${inc}${cm}`, "AveragePool", [f(1, 2, 9, 9)], {
      kernel_shape: [2, 3],
      strides: [2, 2],
      dilations: [2, 2],
      pads: [1, 1, 0, 1],
      count_include_pad: inc,
      ceil_mode: cm,
    });
    add(`avg3${inc}${cm}`, "AveragePool", [f(1, 1, 5, 6, 7)], {
      kernel_shape: [3, 2, 2],
      strides: [2, 2, 3],
      pads: [1, 1, 0, 0, 1, 1],
      count_include_pad: inc,
      ceil_mode: cm,
    });
  }
for (const so of [0, 1])
  for (const cm of [0, 1]) {
    add(
      `max${so}${cm}`,
      "MaxPool",
      [f(2, 2, 8, 9)],
      { kernel_shape: [3, 3], strides: [2, 3], pads: [1, 1, 1, 1], storage_order: so, ceil_mode: cm },
      2,
    );
    add(
      `max3${so}${cm}`,
      "MaxPool",
      [f(2, 2, 5, 6, 4)],
      { kernel_shape: [2, 3, 2], strides: [2, 2, 2], dilations: [1, 2, 2], storage_order: so, ceil_mode: cm },
      2,
    );
  }
add("max1", "MaxPool", [f(2, 2, 9)], { kernel_shape: [3], dilations: [3] }, 2);
add("maxi8", "MaxPool", [i8(2, 2, 9, 5)], { kernel_shape: [3, 2], pads: [1, 1, 1, 1] });
add("lp1", "LpPool", [f(1, 2, 9, 5)], {
  kernel_shape: [3, 2],
  p: 3,
  pads: [1, 1, 1, 1],
  ceil_mode: 1,
  strides: [2, 2],
  dilations: [2, 1],
});
add("glp", "GlobalLpPool", [f(2, 3, 4, 5)], { p: 3 });
add("gap", "GlobalAveragePool", [f(2, 3, 4, 5)]);
add("gmp", "GlobalMaxPool", [f(2, 3, 4)]);

describe("convolution and pooling", () => {
  testAgainstOnnxruntime(cases);
});
