import type { Node, Value } from "../../../graph/index.js";
import { normalizeAxis, sizeOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, type NodeContext } from "../node.js";

/** What varies in the code of a row normalization. */
interface Form {
  /** The mean is taken off first: layer normalization rather than RMS normalization. */
  readonly centered: boolean;
  readonly bias: boolean;
  /** A residual is added first, and a bias before that. */
  readonly skip: boolean;
  readonly skipBias: boolean;
  /** Outputs beside the result. */
  readonly mean: boolean;
  readonly inverse: boolean;
  readonly sum: boolean;
}

export interface RowNormalization {
  readonly form: Form;
  readonly rows: number;
  readonly size: number;
  readonly epsilon: number;
  /** Rows of the residual, which are used again and again when there are fewer than rows. */
  readonly skipRows: number;
  /** In the order of `Form`: y, x, scale, then those that the form has. */
  readonly inputs: {
    readonly x: Value;
    readonly scale: Value;
    readonly bias?: Value;
    readonly skip?: Value;
    readonly skipBias?: Value;
  };
  readonly outputs: { readonly y: Value; readonly mean?: Value; readonly inverse?: Value; readonly sum?: Value };
}

/** Where each operator has its inputs; those of ONNX normalize over the axes from `axis` on. */
const OPERANDS: Readonly<
  Record<string, { centered: boolean; scale: number; bias?: number; skip?: number; skipBias?: number }>
> = {
  LayerNormalization: { centered: true, scale: 1, bias: 2 },
  RMSNormalization: { centered: false, scale: 1 },
  SimplifiedLayerNormalization: { centered: false, scale: 1 },
  SkipLayerNormalization: { centered: true, scale: 2, bias: 3, skip: 1, skipBias: 4 },
  SkipSimplifiedLayerNormalization: { centered: false, scale: 2, skip: 1, skipBias: 3 },
};

/** True when a weight is one row, whatever axes of 1 come before it. */
const isRow = (at: NodeContext, weight: Value, row: readonly number[]): boolean => {
  const { dtype, shape } = at.type(weight);
  const spare = Math.max(0, shape.length - row.length);
  return (
    dtype === "float32" && shape.slice(0, spare).every((dim) => dim === 1) && shape.slice(spare).join() === row.join()
  );
};

/** True when `part`, axes of 1 before it aside, is how `shape` ends: it repeats whole. */
function isTrailing(part: readonly number[], shape: readonly number[]): boolean {
  const first = part.findIndex((dim) => dim !== 1);
  const core = first < 0 ? [] : part.slice(first);
  return core.length <= shape.length && core.join() === shape.slice(shape.length - core.length).join();
}

/** A row normalization of ONNX or com.microsoft, of float32; null for all else. */
export function rowNormalizationSpec(node: Node, at: NodeContext): RowNormalization | null {
  const operands = OPERANDS[node.op];
  if (operands === undefined || node.domain === "ai.nonzero") return null;
  const pick = (index: number | undefined): Value | undefined =>
    index === undefined ? undefined : (node.inputs[index] ?? undefined);
  const [x, scale] = [node.inputs[0]!, pick(operands.scale)!];
  const [bias, skip, skipBias] = [pick(operands.bias), pick(operands.skip), pick(operands.skipBias)];
  const { dtype, shape } = at.type(x);
  const a = attributesOfNode<{ axis: number; epsilon: number; stashType: string }>(node);
  const axis = normalizeAxis(a.axis, shape.length);
  const row = shape.slice(axis);
  const size = sizeOf(row);
  const [y, mean, inverse, sum] = node.outputs.map((output) => output ?? undefined);
  if (dtype !== "float32" || y === undefined || size === 0) return null;
  if ((mean ?? inverse) !== undefined && a.stashType !== "float32") return null;
  if (!operands.centered && mean !== undefined && operands.skip !== undefined) return null;
  if (![scale, bias].every((weight) => weight === undefined || isRow(at, weight, row))) return null;
  if (skipBias !== undefined && at.type(skipBias).shape.join() !== `${size}`) return null;
  if ([skip, skipBias].some((value) => value !== undefined && at.type(value).dtype !== "float32")) return null;
  if (skip !== undefined && !isTrailing(at.type(skip).shape, shape)) return null;
  const rows = sizeOf(shape.slice(0, axis));
  // SimplifiedLayerNormalization has the inverse as its second output.
  const simplified = node.op === "SimplifiedLayerNormalization";
  const outputs = simplified ? { y, inverse: mean } : { y, mean, inverse, sum };
  const inputs = { x, scale, bias, skip, skipBias };
  const has = (value: unknown): boolean => value !== undefined;
  return {
    form: {
      centered: operands.centered,
      bias: has(bias),
      skip: has(skip),
      skipBias: has(skipBias),
      mean: has(outputs.mean),
      inverse: has(outputs.inverse),
      sum: has(outputs.sum),
    },
    rows,
    size,
    epsilon: a.epsilon,
    skipRows: skip === undefined ? 1 : sizeOf(at.type(skip).shape) / size,
    inputs: withoutUndefined(inputs),
    outputs: withoutUndefined(outputs),
  };
}

const withoutUndefined = <T extends object>(record: T): never =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as never;

export const rowNormalizationCost = ({ rows, size }: RowNormalization): Cost => ({
  multiplyAdds: 4 * rows * size,
  bytes: 8 * rows * size,
});
