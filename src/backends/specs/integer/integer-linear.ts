import type { Node } from "../../../graph/index.js";
import { SparseTensor } from "../../../layouts/index.js";
import { sizeOf, Tensor } from "../../../tensor/index.js";
import { type Epilogue, NO_EPILOGUE } from "../matmul/epilogue.js";
import { attributesOfNode, type Cost, type NodeContext } from "../node.js";

/**
 * Y = W · X of 8-bit levels with a constant W, exact in int32: which of a node's inputs are what. The product itself, or, with scales,
 * act(x_scale · w_scale[m] · Y + bias[m] [+ residual]) [+ residual] in float32.
 */
export interface IntegerSpec {
  readonly x: number;
  /** "float32": x is quantized to uint8 over its own range (DynamicQuantizeLinear); else x holds levels. */
  readonly xDtype: "float32" | "int8" | "uint8";
  /** One level; with levels only. */
  readonly xZeroPoint: number | null;
  /** One float32; with levels and `wScale`. */
  readonly xScale: number | null;
  /** [K, M], a constant. */
  readonly weight: number;
  readonly wZeroPoint: number | null;
  /** A constant, one or one for each output; null where the result is int32. */
  readonly wScale: number | null;
  readonly scalePerRow: boolean;
  readonly bias: number | null;
  readonly residual: number | null;
  readonly epilogue: Epilogue;
  /** Outputs, inputs, tokens. */
  readonly M: number;
  readonly K: number;
  readonly N: number;
  /** A sparse weight's layout, "dense" otherwise. */
  readonly layout: string;
  /** Stored weights that are multiplied, for each token. */
  readonly kept: number;
}

type Places = Pick<IntegerSpec, "x" | "weight"> & Partial<IntegerSpec>;

const OPERATORS: Readonly<Record<string, (node: Node) => Places>> = {
  MatMulInteger: () => ({ x: 0, weight: 1, xZeroPoint: 2, wZeroPoint: 3 }),
  "com.microsoft::MatMulIntegerToFloat": () => ({
    ...{ x: 0, weight: 1, xScale: 2, wScale: 3, xZeroPoint: 4, wZeroPoint: 5, bias: 6 },
  }),
  "com.microsoft::DynamicQuantizeMatMul": () => ({ x: 0, weight: 1, wScale: 2, wZeroPoint: 3, bias: 4 }),
  "ai.nonzero::DynamicQuantizedLinear": (node) => ({
    ...{ x: 0, weight: 1, bias: 2, residual: 3, wScale: 4, wZeroPoint: 5 },
    epilogue: epilogueOf(node),
  }),
};

function epilogueOf(node: Node): Epilogue {
  const { activation, residual } = attributesOfNode<{
    activation: { name: string; params: readonly number[] };
    residual: "before" | "after";
  }>(node);
  const bias = !!node.inputs[2];
  return { bias, activation: activation.name, params: activation.params, residual: node.inputs[3] ? residual : "" };
}

/** Longest sum of products of levels that int32 surely holds. */
const MOST_INPUTS = Math.floor((2 ** 31 - 1) / (255 * 255));

/** What an integer product with a constant right operand multiplies; null for all other nodes. */
export function integerSpec(node: Node, at: NodeContext): IntegerSpec | null {
  const places = OPERATORS[node.domain === "" ? node.op : `${node.domain}::${node.op}`]?.(node);
  if (places === undefined) return null;
  const given = (index: number | null | undefined): number | null =>
    index != null && node.inputs[index] ? index : null;
  const [x, w, y] = [node.inputs[places.x]!, node.inputs[places.weight]!, node.outputs[0]!];
  const weight = at.constant(w);
  const [xType, shape] = [at.type(x), at.type(w).shape];
  if (weight === undefined || shape.length !== 2 || xType.shape.length < 1) return null;
  if (weight.dtype !== "int8" && weight.dtype !== "uint8") return null;
  if (xType.dtype !== "float32" && xType.dtype !== "int8" && xType.dtype !== "uint8") return null;
  if (weight instanceof SparseTensor && !(`${weight.perm}` === "1,0" && hasCodes(weight))) return null;
  const [K, M] = shape as [number, number];
  const N = K === 0 ? 0 : sizeOf(xType.shape) / K;
  if (M === 0 || K === 0 || N === 0 || K > MOST_INPUTS || xType.shape.at(-1) !== K) return null;
  const [xZeroPoint, wZeroPoint] = [given(places.xZeroPoint), given(places.wZeroPoint)];
  const [xScale, wScale] = [given(places.xScale), given(places.wScale)];
  const [bias, residual] = [given(places.bias), given(places.residual)];
  const sizeAt = (index: number | null): number => (index === null ? 0 : sizeOf(at.type(node.inputs[index]!).shape));
  const isFixed = (index: number | null): boolean =>
    index === null || at.constant(node.inputs[index]!) instanceof Tensor;
  if (sizeAt(xZeroPoint) > 1 || sizeAt(xScale) > 1 || !isFixed(wZeroPoint) || !isFixed(wScale)) return null;
  if ([wZeroPoint, wScale].some((index) => index !== null && sizeAt(index) !== 1 && sizeAt(index) !== M)) return null;
  if (bias !== null && sizeAt(bias) !== M) return null;
  if (residual !== null && `${at.type(node.inputs[residual]!).shape}` !== `${at.type(y).shape}`) return null;
  if (at.type(y).dtype !== (wScale === null ? "int32" : "float32")) return null;
  const floats = [xScale, wScale, bias, residual].every(
    (index) => index === null || at.type(node.inputs[index]!).dtype === "float32",
  );
  if (!floats) return null;
  const epilogue = places.epilogue ?? { ...NO_EPILOGUE, bias: bias !== null };
  const sparse = weight instanceof SparseTensor;
  return {
    ...{ x: places.x, xDtype: xType.dtype, xZeroPoint, xScale, weight: places.weight, wZeroPoint, wScale },
    ...{ scalePerRow: sizeAt(wScale) > 1, bias, residual, epilogue, M, K, N },
    layout: sparse ? weight.stored.layout : "dense",
    kept: sparse ? weight.stored.parts.values!.size : M * K,
  };
}

/** Int8 values that stand for themselves: scales of 1. */
function hasCodes({ stored }: SparseTensor): boolean {
  const { values, scales } = stored.parts;
  if (stored.dtype !== "int8" || values!.dtype !== "int8" || scales === undefined) return false;
  return (scales.data as Float32Array).every((scale) => scale === 1);
}

export const integerCost = ({ M, K, N, kept, xDtype }: IntegerSpec): Cost => ({
  multiplyAdds: kept * N,
  bytes: kept + N * (4 * M + (xDtype === "float32" ? 4 : 1) * K),
});
