import { describe } from "vitest";
import { type Case, testAgainstOnnxruntime } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import type { AttributeLike } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";

const random = randomSource(780);
const f = (...shape: number[]) => randomTensor(random, shape);
const integers = (dtype: "int32" | "int64" | "bool" | "uint8", shape: number[], values: number[]) =>
  Tensor.from(dtype, shape, values);
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

const A = (
  name: string,
  inputs: Case["inputs"],
  attributes: Readonly<Record<string, AttributeLike>> = {},
  outputs = 1,
  version = 23,
) => add(`att${name}`, "Attention", inputs, attributes, outputs, version);
A("4d", [f(2, 4, 3, 8), f(2, 4, 5, 8), f(2, 4, 5, 6)], {}, 1);
A("gqa", [f(2, 4, 3, 8), f(2, 2, 5, 8), f(2, 2, 5, 6)], { is_causal: 1, scale: 0.4 }, 1);
A("3d", [f(2, 3, 32), f(2, 5, 16), f(2, 5, 12)], { q_num_heads: 4, kv_num_heads: 2 }, 1);
A("mask", [f(2, 4, 3, 8), f(2, 4, 5, 8), f(2, 4, 5, 6), f(3, 5)]);
A("mask4", [f(2, 4, 3, 8), f(2, 4, 5, 8), f(2, 4, 5, 6), f(2, 1, 3, 5)], { softcap: 0.3 });
A(
  "maskb",
  [
    f(2, 4, 3, 8),
    f(2, 4, 5, 8),
    f(2, 4, 5, 6),
    integers("bool", [3, 5], [1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1]),
  ],
  { is_causal: 1 },
);
A("past", [f(2, 4, 3, 8), f(2, 2, 3, 8), f(2, 2, 3, 6), null, f(2, 2, 4, 8), f(2, 2, 4, 6)], { is_causal: 1 }, 3);
for (const m of [0, 1, 2, 3])
  A(
    `qk${m}`,
    [f(2, 4, 3, 8), f(2, 2, 3, 8), f(2, 2, 3, 6), f(4, 3, 7), f(2, 2, 4, 8), f(2, 2, 4, 6)],
    { qk_matmul_output_mode: m, softcap: 0.5 },
    4,
  );
A("24", [f(2, 4, 3, 8), f(2, 4, 5, 8), f(2, 4, 5, 6), null, null, null, integers("int64", [2], [3, 5])], {}, 1, 24);
A(
  "24c",
  [f(2, 4, 3, 8), f(2, 4, 5, 8), f(2, 4, 5, 6), null, null, null, integers("int64", [2], [3, 5])],
  { is_causal: 1 },
  1,
  24,
);
add(
  "rope23",
  "RotaryEmbedding",
  [f(2, 3, 4, 8), f(10, 4), f(10, 4), integers("int64", [2, 4], [0, 1, 2, 3, 4, 5, 6, 9])],
  {},
  1,
  23,
);
add(
  "rope23b",
  "RotaryEmbedding",
  [f(2, 4, 24), f(2, 4, 2), f(2, 4, 2)],
  { num_heads: 3, rotary_embedding_dim: 4, interleaved: 1 },
  1,
  23,
);

describe("attention", () => {
  testAgainstOnnxruntime(cases);
});
