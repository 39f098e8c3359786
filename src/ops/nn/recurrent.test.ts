import { describe } from "vitest";
import { type Case, testAgainstOnnxruntime } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import type { AttributeLike } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";

const random = randomSource(784);
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

const lens = integers("int32", [3], [4, 1, 3]);
for (const [d, n] of [
  ["forward", 1],
  ["reverse", 1],
  ["bidirectional", 2],
] as const) {
  for (const [op, g, s, acts] of [
    ["RNN", 1, 1, ["Relu"]],
    ["LSTM", 4, 2, ["HardSigmoid", "Softsign", "ScaledTanh"]],
    ["GRU", 3, 1, ["HardSigmoid", "Elu"]],
  ] as const) {
    const base = [f(4, 3, 2), f(n, g * 5, 2), f(n, g * 5, 5), f(n, 2 * g * 5), lens, f(n, 3, 5)];
    if (op === "LSTM") base.push(f(n, 3, 5), f(n, 15));
    add(`${op}${d}`, op, base, { hidden_size: 5, direction: d }, 1 + s, 14);
    add(`${op}min${d}`, op, base.slice(0, 3), { hidden_size: 5, direction: d }, 1 + s, 14);
    add(`${op}clip${d}`, op, base, { hidden_size: 5, direction: d, clip: 0.3 }, 1 + s, 14);
    add(
      `${op}act${d}`,
      op,
      base,
      {
        hidden_size: 5,
        direction: d,
        activations: Array(n).fill(acts).flat(),
        activation_alpha: Array(n)
          .fill(op === "LSTM" ? [0.3, 0.9] : op === "GRU" ? [0.3, 0.7] : [0.1])
          .flat(),
        activation_beta: Array(n)
          .fill(op === "LSTM" ? [0.4, 0.8] : [0.4])
          .flat(),
      },
      1 + s,
      14,
    );
    if (op === "GRU") add(`${op}lbr${d}`, op, base, { hidden_size: 5, direction: d, linear_before_reset: 1 }, 2, 14);
    if (op === "LSTM") add(`${op}if${d}`, op, base, { hidden_size: 5, direction: d, input_forget: 1 }, 3, 14);
  }
}

describe("recurrent layers", () => {
  testAgainstOnnxruntime(cases);
});
