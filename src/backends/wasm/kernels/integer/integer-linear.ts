import type { Node, Value } from "../../../../graph/index.js";
import { SparseTensor } from "../../../../layouts/index.js";
import type { Tensor } from "../../../../tensor/index.js";
import { type IntegerSpec, integerCost, integerSpec } from "../../../specs/integer/integer-linear.js";
import { type Entries, entriesOf } from "../../../specs/matmul/weights.js";
import type { NodeContext } from "../../../specs/node.js";
import type { Argument, Kernel, Lowering } from "../../kernel.js";
import { pack, panelsOf } from "../matmul/panels.js";
import { hasQuads, PAIRS, QUADS } from "./dot.js";
import { type Factors, lowerFactors } from "./factors.js";
import { lowerFew, MOST_FEW } from "./few.js";
import { type Groups, groupsOf, lowerGather, writeGroups } from "./gather.js";
import { lowerPanelProduct, paddedRows, slabOf } from "./panel.js";
import { type Form, type Quantized, quantize, wordsOf } from "./quantize.js";
import { lowerSparsePanel } from "./sparse-panel.js";
import { chooseWords, streamOf, writeStream } from "./stream.js";
import { streamVectors } from "./stream-tile.js";
import {
  denseLevels,
  denseStrips,
  type Strips,
  sparseLevels,
  sparseStrips,
  stripImage,
  writeStrips,
} from "./strips.js";
import { mostVectors } from "./tile.js";
import { centeredRows, fitsBytes, rowSums, writeWords } from "./weights.js";

/**
 * MatMulInteger, MatMulIntegerToFloat, DynamicQuantizeMatMul and ai.nonzero DynamicQuantizedLinear with a constant right operand, dense or
 * sparse. x is quantized (or its levels taken) once for all nodes that read it; sums are exact.
 *
 * Few tokens multiply strips of bytes, where the rows of a sparse weight share enough of what they keep; else tokens lie in panels.
 */
export const integerLinear: Kernel<IntegerSpec, null> = {
  name: "integer-linear",
  match(node, at) {
    const spec = integerSpec(node, at);
    if (spec === null || zerosOf(spec, node, at) === null) return spec;
    return at.constant(node.inputs[spec.weight]!) instanceof SparseTensor ? null : spec;
  },
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const operand = (input: number | null): Argument => (input === null ? 0 : to.buffer(node.inputs[input]!));
    const [xValue, weight] = [node.inputs[spec.x]!, node.inputs[spec.weight]!];
    const constant = to.constant(weight)!;
    const zeros = zerosOf(spec, node, to);
    const quads = hasQuads(to.device) && fitsBytes(constant, zeros);
    const { M, K, N } = spec;
    const stored =
      constant instanceof SparseTensor
        ? storedSparse(constant, N, quads, 4 * to.device.threads)
        : storedDense(M, K, N, quads);
    const { form } = stored;
    const dot = form === "quads" ? QUADS : PAIRS;
    const key = keyOf(form, spec, spec.xZeroPoint === null ? null : node.inputs[spec.xZeroPoint]!);
    const { x, factors } = prepare(form, spec, to, {
      ...{ key, xValue, zeroPoint: operand(spec.xZeroPoint), xScale: operand(spec.xScale) },
      wScale: operand(spec.wScale),
      wSums: form === "quads" ? sumsOf(spec, weight, to) : 0,
    });
    const ends = { bias: operand(spec.bias), residual: operand(spec.residual), ...factors };
    const product = { y: to.buffer(node.outputs[0]!), M, N, floats: spec.wScale !== null, epilogue: spec.epilogue };
    if (stored.kind === "strips") {
      const { strips } = stored;
      const image = stripImage(strips, 4 * to.device.threads);
      const levels = constant instanceof SparseTensor ? sparseLevels(entriesFor(constant)) : denseLevels(constant);
      const name = `integer/strips/${form}/${strips.vectors}/${image.chunks}`;
      const w = to.prepared(weight, name, image.bytes, (target) => writeStrips(strips, image, M, K, levels, target));
      const offsets = strips.kept === null ? offsetsOf(spec, weight, zeros, to) : 0;
      lowerFew({ strips, image, w, x: x.words, ...product, ...ends, weightsOfSums: offsets, xSums: x.sums }, to);
      return;
    }
    const words = wordsOf(form, K);
    if (stored.kind === "groups") {
      const { groups } = stored;
      const entries = entriesFor(constant as SparseTensor);
      const name = `integer/groups/${form}/${groups.chunks}`;
      const w = to.prepared(weight, name, groups.bytes, (target) => writeGroups(groups, entries, target));
      lowerGather({ groups, words, w, x: x.words, ...product, ...ends }, to);
      return;
    }
    const panels = panelsOf(words, N, stored.width);
    const packed = to.derived(xValue, `integer/panels/${key}/${panels.pitch}/${panels.count}`, () =>
      pack(to, panels, "token-major", x.words, words),
    );
    const panelProduct = { weight, dot, panels, x: packed, ...product, ...ends };
    if (stored.kind === "stream") {
      const entries = entriesFor(constant as SparseTensor);
      const stream = streamOf(entries, stored.choice, 2 * slabOf(panels.pitch));
      const name = `integer/stream/${form}/${stream.share}/${stream.slab}`;
      const w = to.prepared(weight, name, stream.bytes, (target) => writeStream(stream, entries, target));
      lowerSparsePanel(panelProduct, stream, w, to);
      return;
    }
    const name = `integer/rows/${form}/${zeros ?? ""}`;
    const w = to.prepared(weight, name, paddedRows(M) * words * 4, (target) =>
      writeWords(centeredRows(constant as Tensor, zeros), K, words, form, target),
    );
    lowerPanelProduct(panelProduct, w, to);
  },
  cost: integerCost,
};

/** The zero points of a weight; null where all are 0. */
function zerosOf({ wZeroPoint }: IntegerSpec, node: Node, at: NodeContext): ArrayLike<number> | null {
  if (wZeroPoint === null) return null;
  const zeros = (at.constant(node.inputs[wZeroPoint]!) as Tensor).numbers();
  return zeros.some((zero) => zero !== 0) ? zeros : null;
}

/** How a weight is stored for so many tokens, and the form of x that goes with it. */
type StoredAs =
  | { readonly kind: "strips"; readonly form: Form; readonly strips: Strips }
  | { readonly kind: "groups"; readonly form: Form; readonly groups: Groups }
  | { readonly kind: "rows"; readonly form: Form; readonly width: number }
  | { readonly kind: "stream"; readonly form: Form; readonly width: number; readonly choice: Choice };
type Choice = ReturnType<typeof chooseWords>;

function storedDense(M: number, K: number, N: number, quads: boolean): StoredAs {
  const dot = quads ? QUADS : PAIRS;
  if (N <= MOST_FEW) return { kind: "strips", form: dot.form, strips: denseStrips(dot.form, M, K) };
  return { kind: "rows", form: dot.form, width: mostVectors(dot) };
}

/** Tokens up to which four rows that share nothing, a token at a time, beat panels. */
const MOST_GATHERED = 3;

function storedSparse(weight: SparseTensor, N: number, quads: boolean, chunks: number): StoredAs {
  const forms: readonly Form[] = quads ? ["quads", "pairs", "sixes"] : ["pairs", "sixes"];
  const known = recall(weight);
  if (N <= MOST_FEW) {
    if (known.strips?.quads !== quads) known.strips = { quads, found: sparseStrips(known.entries, forms) };
    const strips = known.strips.found;
    if (strips !== null) return { kind: "strips", form: strips.form, strips };
    if (N <= MOST_GATHERED) {
      if (known.groups?.chunks !== chunks) known.groups = { chunks, found: groupsOf(known.entries, "sixes", chunks) };
      const groups = known.groups.found;
      if (groups !== null) return { kind: "groups", form: "sixes", groups };
    }
  }
  if (known.stream?.quads !== quads) known.stream = { quads, found: chooseWords(known.entries, forms) };
  const choice = known.stream.found;
  const dot = choice.form === "quads" ? QUADS : PAIRS;
  const most = streamVectors(dot, choice.share);
  return { kind: "stream", form: choice.form, width: choice.share === 1 ? most : 2 * most, choice };
}

/** What plans found out about a sparse weight, for the plans after them. */
interface Known {
  readonly entries: Entries;
  groups?: { readonly chunks: number; readonly found: Groups | null };
  strips?: { readonly quads: boolean; readonly found: Strips | null };
  stream?: { readonly quads: boolean; readonly found: Choice };
}
const memory = new WeakMap<SparseTensor, Known>();
function recall(weight: SparseTensor): Known {
  let known = memory.get(weight);
  if (known === undefined) {
    known = { entries: entriesOf(weight, [0, weight.stored.rows]) };
    memory.set(weight, known);
  }
  return known;
}
const entriesFor = (weight: SparseTensor): Entries => recall(weight).entries;

/** What tells one quantization of a value from another. */
const keyOf = (form: Form, { K }: IntegerSpec, zeroPoint: Value | null): string =>
  `${form}/${zeroPoint === null ? "" : numberOf(zeroPoint)}/${K}`;

const numbers = new WeakMap<Value, number>();
let next = 0;

/** A number of the value's own: names need not be. */
function numberOf(value: Value): number {
  if (!numbers.has(value)) numbers.set(value, next++);
  return numbers.get(value)!;
}

interface Operands {
  readonly key: string;
  readonly xValue: Value;
  readonly zeroPoint: Argument;
  readonly xScale: Argument;
  readonly wScale: Argument;
  readonly wSums: Argument;
}

/** x quantized, and the factors of the product's end. */
function prepare(form: Form, spec: IntegerSpec, to: Lowering, from: Operands): { x: Quantized; factors: Factors } {
  let made: Quantized | undefined;
  const words = to.derived(from.xValue, `integer/${from.key}/words`, () => {
    made = quantize(to, spec, form, to.buffer(from.xValue), from.zeroPoint);
    return made.words;
  });
  const sums = to.derived(from.xValue, `integer/${from.key}/sums`, () => made!.sums);
  const parameters = to.derived(from.xValue, `integer/${from.key}/parameters`, () => made!.parameters);
  const factors = lowerFactors(to, spec.M, {
    xScale: spec.xScale === null ? parameters : from.xScale,
    parameters,
    wScale: from.wScale,
    perRow: spec.scalePerRow,
    wSums: from.wSums,
  });
  return { x: { words, sums, parameters }, factors };
}

/** The sums of a constant's rows, int32 [M]. */
function sumsOf({ M }: IntegerSpec, weight: Value, to: Lowering): Argument {
  return to.prepared(weight, "integer/sums", 4 * Math.ceil(M / 32) * 32, (target) => {
    new Int32Array(target.buffer, target.byteOffset, M).set(rowSums(to.constant(weight)!, M));
  });
}

/** What a token's sum of x adds to the sums of a dense weight's strips, for each row: int32 [M], less the zero points and offsets of its bytes. */
function offsetsOf({ M }: IntegerSpec, weight: Value, zeros: ArrayLike<number> | null, to: Lowering): Argument {
  const { dtype } = to.constant(weight)!;
  const key = `integer/offsets/${zeros ?? ""}`;
  return to.prepared(weight, key, 4 * Math.ceil(M / 32) * 32, (target) => {
    const offsets = new Int32Array(target.buffer, target.byteOffset, M);
    for (let m = 0; m < M; m++) {
      const zero = zeros === null ? 0 : zeros[zeros.length === 1 ? 0 : m]!;
      offsets[m] = (dtype === "uint8" ? 128 : 0) - zero - (m % 8 < 4 ? 128 : 0);
    }
  });
}
