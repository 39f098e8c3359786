import { describe } from "vitest";
import { type Case, testAgainstOnnxruntime } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import type { AttributeLike } from "../../graph/index.js";

const random = randomSource(213);
const f = (...shape: number[]) => randomTensor(random, shape);
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

add("lrn", "LRN", [f(2, 7, 3, 2)], { size: 5, alpha: 0.01, beta: 0.6, bias: whole(2) });
add(
  "bn",
  "BatchNormalization",
  [f(2, 3, 4), f(3), f(3), f(3), randomTensor(random, [3], 0.1, 1)],
  { epsilon: 0.01 },
  1,
  15,
);
add(
  "bntr",
  "BatchNormalization",
  [f(2, 3, 4), f(3), f(3), f(3), randomTensor(random, [3], 0.1, 1)],
  { training_mode: 1, momentum: whole(0.8) },
  3,
  15,
);
add("bn9", "BatchNormalization", [f(2, 3, 4), f(3), f(3), f(3), randomTensor(random, [3], 0.1, 1)], {}, 1, 9);
add("bn7", "BatchNormalization", [f(2, 3, 4), f(3), f(3), f(3), randomTensor(random, [3], 0.1, 1)], {}, 1, 7);
add("inst", "InstanceNormalization", [f(2, 3, 4, 2), f(3), f(3)]);
add("ln", "LayerNormalization", [f(2, 3, 4, 5), f(4, 5), f(4, 5)], { axis: 2 }, 3);
add("lnb", "LayerNormalization", [f(2, 3, 4), f(4)], { epsilon: 0.1 }, 3);
add("lnbc", "LayerNormalization", [f(2, 3, 4), f(2, 3, 4), f(3, 1)], { axis: 1 }, 1);
add("gn21", "GroupNormalization", [f(2, 6, 4), f(6), f(6)], { num_groups: 3 });
add("gn18", "GroupNormalization", [f(2, 6, 4), f(3), f(3)], { num_groups: 3 }, 1, 18);
add("rms", "RMSNormalization", [f(2, 3, 4), f(3, 4)], { axis: 1 }, 1, 23);
add("lpn1", "LpNormalization", [f(2, 3, 4)], { axis: 1, p: 1 });
add("lpn2", "LpNormalization", [f(2, 3, 4)], { p: 2 });
add("mvn", "MeanVarianceNormalization", [f(2, 3, 4, 2)]);
add("mvn2", "MeanVarianceNormalization", [f(2, 3, 4, 2)], { axes: [1, 2] });

describe("normalization", () => {
  testAgainstOnnxruntime(cases);
});
