import type { Constant, Model, Value } from "../graph/index.js";
import { bestLayout, SparseTensor, VALUE_DATA_TYPES, type ValueDataType } from "../layouts/index.js";
import {
  applyMask,
  type Mask,
  type Matrix,
  maskOf,
  type Pattern,
  parsePattern,
  sparsityOf,
} from "../sparsity/index.js";
import { byteLengthOf, type DataType, locate, NonzeroError } from "../tensor/index.js";
import { magnitude } from "./magnitude.js";
import { maskWeight, weightMatrix } from "./mask-weight.js";
import { constantNodesToConstants, replaceConstants } from "./replace.js";
import { type LayerSelection, selectLayers } from "./select-layers.js";
import type { Weight } from "./weights.js";

export interface SparsifyOptions extends LayerSelection {
  /** A pattern or its text: `2:4`, `50%`, `block:16x16@90%`. */
  readonly pattern: Pattern | string;
  /** Called after each weight. */
  readonly onProgress?: (done: number, total: number, weight: SparsifiedWeight) => void;
  /** Stops between weights with NonzeroError "aborted". */
  readonly signal?: AbortSignal;
}

export interface ApplySparseOptions extends SparsifyOptions {
  /** How kept values are stored; absent: as the weight has them (float64 as float32). int8 has one scale a row. */
  readonly values?: ValueDataType;
}

/** What became of one weight. */
export interface SparsifiedWeight {
  readonly weight: Weight;
  /** Share of zeros. */
  readonly sparsity: number;
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
 * Zeros weights by magnitude and leaves them dense, as the talk's `apply_fake_sparsity` does with torch.ao.pruning: what accuracy is measured on.
 * @throws NonzeroError "invalid-argument" (pattern), "not-found" (layers), "aborted".
 */
export const applyFakeSparsity = (model: Model, options: SparsifyOptions): Promise<Sparsified> =>
  forEachWeight(model, options, (weight, _, mask) => ({ constant: maskWeight(weight, mask), layout: "dense" }));

/**
 * Zeros weights by magnitude and stores each in the layout that takes the fewest bytes for its mask, as the talk's `apply_sparse` does with
 * `to_sparse_semi_structured`: what speed is measured on.
 * @throws as `applyFakeSparsity` does.
 */
export const applySparse = (model: Model, options: ApplySparseOptions): Promise<Sparsified> =>
  forEachWeight(model, options, (weight, matrix, mask, pattern) => pack(weight, matrix, mask, pattern, options.values));

/**
 * Stores weights that already have zeros in the layout that takes the fewest bytes; what is not sparse enough for any stays dense.
 * A weight whose zeros were chosen elsewhere (another tool's pruned ONNX file) comes in this way.
 */
export const toSparseModel = (model: Model, options: Omit<ApplySparseOptions, "pattern"> = {}): Promise<Sparsified> =>
  forEachWeight(model, { ...options, pattern: "dense" }, (weight, matrix) =>
    pack(weight, matrix, maskOf(matrix), undefined, options.values),
  );

interface Packed {
  readonly constant: Constant;
  readonly layout: string;
}

function pack(
  weight: Weight,
  matrix: Matrix,
  mask: Mask,
  pattern: Pattern | undefined,
  values = storableDtype(weight.constant.dtype),
): Packed {
  const layout = bestLayout(mask, pattern, values);
  const { shape, dtype } = weight.constant;
  if (layout === null) return { constant: maskWeight(weight, mask), layout: "dense" };
  const stored = layout.encode(matrix, mask, { values, dtype });
  return { constant: new SparseTensor(shape, weight.perm, stored), layout: layout.text };
}

const storableDtype = (dtype: DataType): ValueDataType =>
  VALUE_DATA_TYPES.find((storable) => storable === dtype) ?? "float32";

async function forEachWeight(
  original: Model,
  options: SparsifyOptions,
  change: (weight: Weight, matrix: Matrix, mask: Mask, pattern: Pattern) => Packed,
): Promise<Sparsified> {
  const pattern = typeof options.pattern === "string" ? parsePattern(options.pattern) : options.pattern;
  const model = constantNodesToConstants(original);
  const chosen = selectLayers(model, options);
  if (chosen.length === 0)
    throw new NonzeroError("not-found", "the model has no weights to prune", { field: "layers" });
  const replaced = new Map<Value, Constant>();
  const weights: SparsifiedWeight[] = [];
  for (const weight of chosen) {
    await new Promise((resolve) => setTimeout(resolve)); // lets progress be drawn, and the signal arrive
    if (options.signal?.aborted) throw new NonzeroError("aborted", "pruning was stopped; nothing was changed");
    const { constant, layout, sparsity } = locate({ node: weight.nodes[0], field: weight.name }, () => {
      const matrix = weightMatrix(weight);
      const mask = pattern.select(magnitude(matrix));
      const packed = change(weight, matrix, mask, pattern);
      return { ...packed, sparsity: sparsityOf(applyMask(matrix, mask)) };
    });
    replaced.set(weight.value, constant);
    const denseBytes = byteLengthOf(weight.constant.dtype, weight.rows * weight.cols);
    const done: SparsifiedWeight = { weight, sparsity, layout, denseBytes, bytes: constant.byteLength };
    weights.push(done);
    options.onProgress?.(weights.length, chosen.length, done);
  }
  return { model: replaceConstants(model, replaced), weights };
}
