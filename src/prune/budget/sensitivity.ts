import type { Constant, Model } from "../../graph/index.js";
import { bestLayout, encodedBytes, VALUE_DATA_TYPES } from "../../layouts/index.js";
import { type Pattern, sparsityOf } from "../../sparsity/index.js";
import { byteLengthOf } from "../../tensor/index.js";
import { calibrate, collectSamples, sourcesOf } from "../calibration/index.js";
import type { LayerPruner } from "../layer-pruner.js";
import { batchesWithin, type CalibrationOptions, GIBIBYTE, inTurn, type PrunedWeight } from "../prune-weights.js";
import { constantNodesToConstants } from "../replace.js";
import { type LayerSelection, selectLayers } from "../select-layers.js";
import type { Weight } from "../weights.js";

export interface SensitivityOptions extends LayerSelection {
  readonly patterns: readonly Pattern[];
  readonly methods: readonly LayerPruner[];
  /** As for pruning; layers are looked at one by one, with the dense model's inputs, so it has no `order`. */
  readonly calibration: Omit<CalibrationOptions, "order">;
  /** Trials that need not be made: of an earlier sweep that was stopped. */
  readonly known?: (weight: Weight, pattern: Pattern, method: LayerPruner) => boolean;
  readonly signal?: AbortSignal;
}

/** What one pattern and method would do to one weight alone, all else dense. */
export interface Trial {
  /** The weight's name. */
  readonly weight: string;
  readonly nodes: readonly string[];
  readonly pattern: string;
  readonly method: string;
  readonly rows: number;
  readonly cols: number;
  /** Share of zeros. */
  readonly sparsity: number;
  /** ‖X(W − Ŵ)ᵀ‖² / ‖XWᵀ‖² over the calibration inputs. */
  readonly error: number;
  /** Bytes in the layout that takes the fewest, values as the weight has them, and dense. */
  readonly bytes: number;
  readonly denseBytes: number;
  /** Time that the method took. */
  readonly milliseconds: number;
}

/**
 * Prunes each weight by each pattern and method, by itself, and says what that costs its layer's outputs. A sweep takes as long as pruning the model once
 * for each pair; the samples run once, or as often as the sums of all layers fit the memory given. Embeddings have no inputs to see and are passed over.
 * @throws NonzeroError as pruning does.
 */
export async function* sensitivity(original: Model, options: SensitivityOptions): AsyncGenerator<Trial> {
  const model = constantNodesToConstants(original);
  const { patterns, methods, calibration, signal, known = () => false } = options;
  const pairs = methods.flatMap((method) => patterns.map((pattern) => ({ method, pattern })));
  const open = (weight: Weight) => pairs.filter(({ method, pattern }) => !known(weight, pattern, method));
  const weights = selectLayers(model, options).filter((weight) => open(weight).length > 0);
  if (weights.length === 0) return;
  const samples = await collectSamples(model.graph, calibration.samples);
  const { memory = GIBIBYTE, threads, onSample } = calibration;
  const batches = batchesWithin(memory, sourcesOf(model, weights), true);
  for (const [b, batch] of batches.entries()) {
    const statistics = await calibrate(model, samples, batch, {
      gram: true,
      signal,
      ...(threads === undefined ? {} : { threads }),
      onSample: (done) => onSample?.(b * samples.length + done, batches.length * samples.length),
    });
    for (const [source, seen] of statistics) {
      for (const weight of source.weights) {
        for (const { method, pattern } of open(weight)) {
          const pruning = { method, options: {}, pattern: () => pattern };
          yield trialOf(method, await inTurn(weight, pruning, seen, signal));
        }
      }
    }
  }
}

function trialOf(method: LayerPruner, { weightInfo, pattern, mask, weight, error, milliseconds }: PrunedWeight): Trial {
  const { name, nodes, rows, cols, constant } = weightInfo;
  const values = storable(constant);
  const denseBytes = byteLengthOf(constant.dtype, rows * cols);
  const layout = bestLayout(mask, pattern, values);
  return {
    ...{ weight: name, nodes, pattern: pattern.text, method: method.name, rows, cols },
    ...{ sparsity: sparsityOf(weight), error: error!, milliseconds, denseBytes },
    bytes: layout === null ? denseBytes : encodedBytes(layout, mask, values),
  };
}

const storable = ({ dtype }: Constant) => VALUE_DATA_TYPES.find((type) => type === dtype) ?? "float32";
