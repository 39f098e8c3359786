import type { Operator } from "../operator.js";
import { clipped, inferRecurrent, type RecurrentAttributes, recurrentAttributes, runRecurrent } from "./recurrent.js";

/** ONNX RNN: h = f(W·x + Wb + R·h + Rb); f is Tanh unless given. X [seq, batch, input] (or batch first), W [directions, hidden, input]. */
export const rnn: Operator<RecurrentAttributes> = {
  name: "RNN",
  domain: "",
  attributes: (node) => recurrentAttributes(node, ["Tanh"]),
  infer: (inputs, a) => inferRecurrent(inputs, a, 1),
  evaluate: (inputs, a) =>
    runRecurrent(inputs, a, 1, 1, ({ direction, hidden, fromInput, fromHidden, state }) => {
      const f = a.activations[direction]![0]!;
      const h = state[0]!;
      for (let j = 0; j < hidden; j++) h[j] = f(clipped(fromInput[j]! + fromHidden[j]!, a.clip));
    }),
};
