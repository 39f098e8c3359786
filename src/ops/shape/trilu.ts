import { NonzeroError, sizeOf } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { copyRun, fromSlots, newSlots, slotsOf } from "./move.js";

interface TriluAttributes {
  readonly upper: boolean;
}

/** ONNX Trilu: the upper (or lower) triangle of each matrix in the last two axes, from diagonal k (input 1, 0 by default); zeros elsewhere. */
export const trilu: Operator<TriluAttributes> = {
  name: "Trilu",
  domain: "",
  attributes: (node) => ({ upper: node.flag("upper", true) }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate(inputs, { upper }) {
    const x = need(inputs, 0);
    if (x.shape.length < 2) throw new NonzeroError("shape", `expected matrices, found shape [${x.shape}]`);
    const k = inputs[1]?.item() ?? 0;
    const [rows, cols] = x.shape.slice(-2) as [number, number];
    const from = slotsOf(x);
    const to = newSlots(x.dtype, x.size);
    const count = sizeOf(x.shape.slice(0, -1));
    for (let line = 0; line < count; line++) {
      const diagonal = (line % rows) + k;
      const begin = upper ? Math.min(Math.max(diagonal, 0), cols) : 0;
      const end = upper ? cols : Math.min(Math.max(diagonal + 1, 0), cols);
      copyRun(from, line * cols + begin, to, line * cols + begin, end - begin);
    }
    return [fromSlots(x.dtype, x.shape, to)];
  },
};
