import type { ValueType } from "../../graph/index.js";
import { normalizeAxis, sizeOf, Tensor } from "../../tensor/index.js";
import { elementsOf } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { unknownDim } from "./dims.js";
import { permute, take } from "./move.js";

interface UniqueAttributes {
  /** Null flattens the input first. */
  readonly axis: number | null;
  readonly sorted: boolean;
}

/**
 * ONNX Unique: the distinct elements, or the distinct slices along `axis`, sorted or in order of appearance; and int64
 * vectors: where each appears first, which of them each input slice is, and how often each occurs.
 */
export const unique: Operator<UniqueAttributes> = {
  name: "Unique",
  domain: "",
  shapeInputs: [0],
  attributes: (node) => ({ axis: node.optional("axis", "int") ?? null, sorted: node.flag("sorted", true) }),
  infer(inputs, a) {
    const x = need(inputs, 0);
    if (x.value !== undefined) return distinct(x.value, a).map(({ dtype, shape }) => ({ dtype, shape }));
    const { dtype, shape } = x.type;
    const count = unknownDim();
    const type = (dim: string): ValueType => ({ dtype: "int64", shape: [dim] });
    const rest = [type(count), type(unknownDim()), type(count)];
    if (a.axis === null) return [{ dtype, shape: [count] }, ...rest];
    return [{ dtype, shape: shape?.with(normalizeAxis(a.axis, shape.length), count) ?? null }, ...rest];
  },
  evaluate: (inputs, a) => distinct(need(inputs, 0), a),
};

function distinct(given: Tensor, { axis: along, sorted }: UniqueAttributes): Tensor[] {
  const x = along === null ? given.reshape([given.size]) : given;
  const axis = normalizeAxis(along ?? 0, x.shape.length);
  const count = x.shape[axis]!;
  const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
  const rows = elementsOf(permute(x, [axis, ...others])) as number[]; // one row a slice
  const width = sizeOf(others.map((i) => x.shape[i]!));
  const compare = (i: number, j: number): number => {
    for (let k = 0; k < width; k++) {
      const order = compareElements(rows[i * width + k]!, rows[j * width + k]!);
      if (order !== 0) return order;
    }
    return 0;
  };
  const order = Array.from({ length: count }, (_, i) => i).sort((i, j) => compare(i, j) || i - j);
  const groups: { first: number; members: number[] }[] = [];
  for (const i of order) {
    const last = groups.at(-1);
    if (last !== undefined && compare(last.first, i) === 0) last.members.push(i);
    else groups.push({ first: i, members: [i] });
  }
  if (!sorted) groups.sort((a, b) => a.first - b.first);
  const inverse = new Int32Array(count);
  groups.forEach(({ members }, group) => {
    for (const i of members) inverse[i] = group;
  });
  const firsts = groups.map((group) => group.first);
  return [take(x, axis, firsts), vector(firsts), vector(inverse), vector(groups.map((group) => group.members.length))];
}

const vector = (values: ArrayLike<number>): Tensor => Tensor.from("int64", [values.length], values);

/** Ascending, NaN last; for BigInts and strings as well. */
function compareElements(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return a === b ? 0 : Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}
