import { NonzeroError } from "../../tensor/index.js";
import type { Operator } from "../operator.js";
import { clipped, inferRecurrent, type RecurrentAttributes, recurrentAttributes, runRecurrent } from "./recurrent.js";

export interface LstmAttributes extends RecurrentAttributes {
  /** Couples the gates: forget = 1 − input. */
  readonly inputForget: boolean;
}

/**
 * ONNX LSTM with gates in the order i, o, f, c and peepholes P in the order i, o, f:
 * c = f ⊙ c + i ⊙ g(…), h = o ⊙ h(c). clip bounds the inputs of the gates and of g, not of h(c), as in onnxruntime.
 * Outputs Y, Y_h, Y_c.
 */
export const lstm: Operator<LstmAttributes> = {
  name: "LSTM",
  domain: "",
  attributes: (node) => ({
    ...recurrentAttributes(node, ["Sigmoid", "Tanh", "Tanh"]),
    inputForget: node.flag("input_forget"),
  }),
  infer: (inputs, a) => inferRecurrent(inputs, a, 2),
  evaluate: (inputs, a) => {
    const peepholes = inputs[7]?.numbers();
    return runRecurrent(inputs, a, 4, 2, ({ direction, hidden, fromInput, fromHidden, state }) => {
      const [f, g, h] = a.activations[direction] as [
        (x: number) => number,
        (x: number) => number,
        (x: number) => number,
      ];
      const [hs, cs] = state as [Float64Array, Float64Array];
      const p = direction * 3 * hidden;
      if (peepholes !== undefined && peepholes.length !== a.directions * 3 * hidden)
        throw new NonzeroError("shape", `expected ${a.directions} × ${3 * hidden} peepholes`, { field: "P" });
      const peep = (gate: number, j: number, c: number) =>
        peepholes === undefined ? 0 : peepholes[p + gate * hidden + j]! * c;
      for (let j = 0; j < hidden; j++) {
        const sum = (gate: number) => fromInput[gate * hidden + j]! + fromHidden[gate * hidden + j]!;
        const before = cs[j]!;
        const input = f(clipped(sum(0) + peep(0, j, before), a.clip));
        const forget = a.inputForget ? 1 - input : f(clipped(sum(2) + peep(2, j, before), a.clip));
        const after = forget * before + input * g(clipped(sum(3), a.clip));
        const output = f(clipped(sum(1) + peep(1, j, after), a.clip));
        cs[j] = after;
        hs[j] = output * h(after);
      }
    });
  },
};
