import { Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { unknownDim } from "../shape/dims.js";

interface StringSplitAttributes {
  /** "" splits on runs of whitespace. */
  readonly delimiter: string;
  readonly maxSplit: number;
}

/**
 * ONNX StringSplit: the parts of each string along a new last axis, padded with "" to the longest list, and how many there
 * are (int64). As Python's str.split: after `maxsplit` splits the rest stays whole.
 */
export const stringSplit: Operator<StringSplitAttributes> = {
  name: "StringSplit",
  domain: "",
  shapeInputs: [0],
  attributes: (node) => ({
    delimiter: node.string("delimiter", ""),
    maxSplit: node.int("maxsplit", Number.POSITIVE_INFINITY),
  }),
  infer(inputs, a) {
    const { type, value } = need(inputs, 0);
    if (value !== undefined) return splitAll(value, a).map(({ dtype, shape }) => ({ dtype, shape }));
    const { shape } = type;
    return [
      { dtype: "string", shape: shape === null ? null : [...shape, unknownDim()] },
      { dtype: "int64", shape },
    ];
  },
  evaluate: (inputs, a) => splitAll(need(inputs, 0), a),
};

function splitAll(x: Tensor, a: StringSplitAttributes): Tensor[] {
  const lists = x.strings().map((s) => (a.delimiter === "" ? splitWhitespace(s, a.maxSplit) : splitOn(s, a)));
  const longest = lists.reduce((most, parts) => Math.max(most, parts.length), 0);
  const padded = lists.flatMap((parts) => Array.from({ length: longest }, (_, i) => parts[i] ?? ""));
  const counts = lists.map((parts) => parts.length);
  return [new Tensor("string", [...x.shape, longest], padded), Tensor.from("int64", x.shape, counts)];
}

function splitOn(s: string, { delimiter, maxSplit }: StringSplitAttributes): string[] {
  const parts = s.split(delimiter);
  if (maxSplit < 0 || parts.length <= maxSplit + 1) return parts;
  return [...parts.slice(0, maxSplit), parts.slice(maxSplit).join(delimiter)];
}

function splitWhitespace(s: string, maxSplit: number): string[] {
  const parts: string[] = [];
  let rest = s.trimStart();
  while (rest !== "") {
    const gap = maxSplit < 0 || parts.length < maxSplit ? rest.search(/\s/) : -1;
    if (gap < 0) return [...parts, rest];
    parts.push(rest.slice(0, gap));
    rest = rest.slice(gap).trimStart();
  }
  return parts;
}
