import type { Constant, Model, Value } from "../graph/index.js";
import {
  bestLayout,
  fastestLayout,
  type Layout,
  parseLayout,
  SparseTensor,
  VALUE_DATA_TYPES,
  type ValueDataType,
} from "../layouts/index.js";
import { maskOf, type Pattern, parsePattern, sparsityOf } from "../sparsity/index.js";
import { byteLengthOf, type DataType, locate, NonzeroError } from "../tensor/index.js";
import type { LayerPruner } from "./layer-pruner.js";
import { maskWeight, mendWeight } from "./mask-weight.js";
import { magnitudePruner } from "./methods/scores.js";
import { type CalibrationOptions, type PrunedWeight, pruneWeights } from "./prune-weights.js";
import { constantNodesToConstants, replaceConstants } from "./replace.js";
import { type LayerSelection, selectLayers } from "./select-layers.js";
import type { Weight } from "./weights.js";

export interface SparsifyOptions extends LayerSelection {
  /** A pattern or its text: `2:4`, `50%`, `block:16x16@90%`; or one for each weight. */
  readonly pattern: PatternLike | ((weight: Weight) => PatternLike);
  /** Who chooses what is kept, and mends it: default by magnitude. */
  readonly method?: LayerPruner;
  /** The method's own options. */
  readonly methodOptions?: object;
  /** For methods that look at a layer's inputs. */
  readonly calibration?: CalibrationOptions;
  /** Called after each weight. */
  readonly onProgress?: (done: number, total: number, weight: SparsifiedWeight) => void;
  /** Stops between weights with NonzeroError "aborted". */
  readonly signal?: AbortSignal;
}

/** A pattern or its text. */
export type PatternLike = Pattern | string;

export interface ApplySparseOptions extends SparsifyOptions {
  /** How kept values are stored; absent: as the weight has them (float64 as float32). int8 has one scale a row. */
  readonly values?: ValueDataType;
  /**
   * "smallest", the default: the layout that takes the fewest bytes; "auto": the one that is multiplied fastest where that depends on the layout
   * (on WebGPU), else the smallest; or a layout by its name, which every mask must fit.
   */
  readonly layout?: "smallest" | "auto" | (string & {});
}

/** What became of one weight. */
export interface SparsifiedWeight {
  readonly weight: Weight;
  readonly pattern: Pattern;
  /** Share of zeros. */
  readonly sparsity: number;
  /** ‖X(W − Ŵ)ᵀ‖² / ‖XWᵀ‖² over the calibration inputs, where the method knows it. */
  readonly error: number | null;
  /** What the method had to do that was not asked for. */
  readonly notes: readonly string[];
  /** Time that the method took. */
  readonly milliseconds: number;
  /** The layout that it is stored in; "dense" where no layout takes fewer bytes, or for fake sparsity. */
  readonly layout: string;
  /** Bytes before, and now. */
  readonly denseBytes: number;
  readonly bytes: number;
}

/** A pruned model and what became of each weight that was chosen. */
export interface Sparsified {
  readonly model: Model;
  readonly weights: readonly SparsifiedWeight[];
}

/**
 * Prunes weights and leaves them dense, as the talk's `apply_fake_sparsity` does with torch.ao.pruning: what accuracy is measured on.
 * @throws NonzeroError "invalid-argument" (pattern, calibration), "not-found" (layers), "aborted", and what the method throws.
 */
export const applyFakeSparsity = (model: Model, options: SparsifyOptions): Promise<Sparsified> =>
  forEachWeight(model, options, unpacked);

/**
 * Prunes weights and stores each in the layout that takes the fewest bytes for its mask (or as `layout` says), as the talk's `apply_sparse` does with
 * `to_sparse_semi_structured`: what speed is measured on.
 * @throws as `applyFakeSparsity` does.
 */
export const applySparse = (model: Model, options: ApplySparseOptions): Promise<Sparsified> =>
  forEachWeight(model, options, (pruned) => pack(pruned, pruned.pattern, options));

/**
 * Stores weights that already have zeros in the layout that takes the fewest bytes; what is not sparse enough for any stays dense.
 * A weight whose zeros were chosen elsewhere (another tool's pruned ONNX file) comes in this way.
 */
export const toSparseModel = (
  model: Model,
  options: Omit<ApplySparseOptions, "pattern" | "method" | "methodOptions" | "calibration"> = {},
): Promise<Sparsified> =>
  forEachWeight(model, { ...options, pattern: "dense" }, (pruned) =>
    pack({ ...pruned, mask: maskOf(pruned.original) }, undefined, options),
  );

interface Packed {
  readonly constant: Constant;
  readonly layout: string;
}

/** Kept values that the method left alone stay bit for bit, whatever the dtype. */
function unpacked({ weightInfo, original, weight, mask }: PrunedWeight): Packed {
  const mended = weight.data.some((value, i) => mask.data[i] !== 0 && value !== original.data[i]);
  return { constant: mended ? mendWeight(weightInfo, weight) : maskWeight(weightInfo, mask), layout: "dense" };
}

type Packing = Pick<ApplySparseOptions, "values" | "layout">;

function pack(pruned: PrunedWeight, pattern: Pattern | undefined, { values: wanted, layout: how }: Packing): Packed {
  const { weightInfo, weight, mask } = pruned;
  const { shape, dtype } = weightInfo.constant;
  const values = wanted ?? storableDtype(dtype);
  const layout = layoutFor(how, mask, pattern, values);
  if (layout === null) return unpacked(pruned);
  const stored = layout.encode(weight, mask, { values, dtype });
  return { constant: new SparseTensor(shape, weightInfo.perm, stored), layout: layout.text };
}

function layoutFor(how = "smallest", ...of: Parameters<typeof fastestLayout>): Layout | null {
  if (how === "smallest") return bestLayout(...of);
  return how === "auto" ? fastestLayout(...of) : parseLayout(how);
}

const storableDtype = (dtype: DataType): ValueDataType =>
  VALUE_DATA_TYPES.find((storable) => storable === dtype) ?? "float32";

const asPattern = (pattern: PatternLike): Pattern => (typeof pattern === "string" ? parsePattern(pattern) : pattern);

async function forEachWeight(
  original: Model,
  options: SparsifyOptions,
  store: (pruned: PrunedWeight) => Packed,
): Promise<Sparsified> {
  const { pattern, method = magnitudePruner, methodOptions = {}, calibration, signal } = options;
  const fixed = typeof pattern === "function" ? null : asPattern(pattern);
  const patternOf = (weight: Weight): Pattern => fixed ?? asPattern((pattern as (w: Weight) => PatternLike)(weight));
  const model = constantNodesToConstants(original);
  const chosen = selectLayers(model, options);
  if (chosen.length === 0)
    throw new NonzeroError("not-found", "the model has no weights to prune", { field: "layers" });
  const replaced = new Map<Value, Constant>();
  const weights: SparsifiedWeight[] = [];
  const pruning = { method, options: methodOptions, pattern: patternOf };
  for await (const pruned of pruneWeights(model, chosen, pruning, calibration, signal)) {
    const { weightInfo: weight, error, notes, milliseconds } = pruned;
    const { constant, layout } = locate({ node: weight.nodes[0], field: weight.name }, () => store(pruned));
    replaced.set(weight.value, constant);
    const denseBytes = byteLengthOf(weight.constant.dtype, weight.rows * weight.cols);
    const sizes = { sparsity: sparsityOf(pruned.weight), layout, denseBytes, bytes: constant.byteLength };
    const done: SparsifiedWeight = { weight, pattern: pruned.pattern, ...sizes, error, notes, milliseconds };
    weights.push(done);
    options.onProgress?.(weights.length, chosen.length, done);
  }
  return { model: replaceConstants(model, replaced), weights };
}
