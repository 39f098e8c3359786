import type { Specialized } from "../../compiler/index.js";
import type { Value } from "../../graph/index.js";
import { bitsOf, type DataType, sizeOf, Tensor } from "../../tensor/index.js";
import type { Place } from "./choices.js";

/** A graph of that node alone: its constants stay, what it reads besides are the inputs. */
export function isolate({ step, spec }: Place): Specialized {
  const { inputs, outputs } = step.node;
  const distinct = (values: readonly (Value | null)[]): Value[] => [
    ...new Set(values.filter((value) => value !== null)),
  ];
  const fed = distinct(inputs).filter((value) => !spec.constants.has(value));
  const of = <T>(map: ReadonlyMap<Value, T>): Map<Value, T> =>
    new Map(distinct([...inputs, ...outputs]).flatMap((value) => (map.has(value) ? [[value, map.get(value)!]] : [])));
  return {
    inputs: fed,
    steps: [step],
    types: of(spec.types),
    constants: of(spec.constants),
    outputs: distinct(outputs),
    rest: null,
  };
}

/** Tensors for the inputs: floats and bytes from all over, so that no multiplication is by zero; bools true; other integers 0, which any index may be. */
export const feedsOf = ({ inputs, types }: Specialized): Tensor[] =>
  inputs.map((input) => {
    const { dtype, shape } = types.get(input)!;
    const at = fillerOf(dtype);
    return Tensor.from(
      dtype,
      shape,
      Float64Array.from({ length: sizeOf(shape) }, (_, i) => at(scatter(i))),
    );
  });

function fillerOf(dtype: DataType): (share: number) => number {
  if (dtype.startsWith("float") || dtype === "bfloat16") return (share) => 2 * share - 1;
  if (dtype === "bool") return () => 1;
  return bitsOf(dtype) === 8 ? (share) => Math.floor(128 * share) : () => 0;
}

/** A number from 0 to 1 for each i, all over the place: multiplication by the golden ratio. */
const scatter = (i: number): number => (Math.imul(i + 1, 0x9e3779b1) >>> 0) / 2 ** 32;
