import { type Sparsified, type SparsifiedWeight, weightMatrix, weightsOf } from "../../prune/index.js";
import { maskOf } from "../../sparsity/index.js";
import { type MaskPicture, maskPicture } from "./mask-picture.js";

/** One pruned weight, as the report tells of it. */
export interface LayerLine {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly shape: readonly number[];
  /** Of the matrix [outputs, inputs] that patterns see. */
  readonly rows: number;
  readonly cols: number;
  readonly pattern: string;
  readonly sparsity: number;
  readonly error: number | null;
  readonly layout: string;
  readonly milliseconds: number;
  readonly denseBytes: number;
  readonly bytes: number;
  readonly notes: readonly string[];
  readonly mask: MaskPicture;
}

/** Milliseconds of a run, medians over turns, on the first calibration sample. */
export interface Speed {
  readonly threads: number;
  readonly denseMs: number;
  readonly sparseMs: number;
  /** Dense over sparse, the median over rounds. */
  readonly ratio: number;
}

/** All that the page shows, and what is embedded in it as JSON. */
export interface ReportData {
  readonly input: string;
  readonly output: string;
  /** What was asked for: option and value. */
  readonly asked: readonly (readonly [string, string])[];
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Of all weights that were chosen. */
  readonly sparsity: number;
  readonly speed: Speed | null;
  readonly layers: readonly LayerLine[];
}

/** Bytes that masks take in a page, entry by entry; larger ones share what smaller ones leave, or are drawn coarsely. */
const MASK_BUDGET = 4 * 2 ** 20;

export function layerLines({ model, weights }: Sparsified): LayerLine[] {
  const now = new Map(weightsOf(model).map((weight) => [weight.name, weight]));
  const smallFirst = [...weights].sort((a, b) => entriesOf(a) - entriesOf(b));
  let budget = MASK_BUDGET;
  const masks = new Map<SparsifiedWeight, MaskPicture>();
  for (const each of smallFirst) {
    const picture = maskPicture(maskOf(weightMatrix(now.get(each.weight.name)!)), budget);
    if (picture.kind === "bits") budget -= entriesOf(each) / 8;
    masks.set(each, picture);
  }
  return weights.map((each) => {
    const { weight, pattern, ...rest } = each;
    const { name, nodes, rows, cols, constant } = weight;
    return { name, nodes, shape: constant.shape, rows, cols, pattern: pattern.text, ...rest, mask: masks.get(each)! };
  });
}

const entriesOf = ({ weight }: SparsifiedWeight): number => weight.rows * weight.cols;

/** Share of zeros over all layers. */
export function overallSparsity(layers: readonly LayerLine[]): number {
  const entries = layers.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  return entries === 0
    ? 0
    : layers.reduce((sum, { rows, cols, sparsity }) => sum + rows * cols * sparsity, 0) / entries;
}

/** The model's name in titles: the file without its folders. */
export const titleOf = (file: string): string => file.split("/").at(-1)!;
