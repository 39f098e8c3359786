import type { Value } from "../../../../graph/index.js";
import type { Tensor } from "../../../../tensor/index.js";
import { type IntegerSpec, integerCost, integerSpec } from "../../../specs/integer/integer-linear.js";
import type { Argument, Kernel, Lowering } from "../../kernel.js";
import { pack, panelsOf } from "../matmul/panels.js";
import { hasQuads, PAIRS, QUADS } from "./dot.js";
import { type Factors, lowerFactors } from "./factors.js";
import { lowerFew, MOST_FEW } from "./few.js";
import { lowerPanelProduct, paddedRows } from "./panel.js";
import { type Form, type Quantized, quantize, wordsOf } from "./quantize.js";
import { denseLevels, denseStrips, stripImage, writeStrips } from "./strips.js";
import { mostVectors } from "./tile.js";
import { centeredRows, fitsBytes, rowSums, writeWords } from "./weights.js";

/**
 * MatMulInteger, MatMulIntegerToFloat, DynamicQuantizeMatMul and ai.nonzero DynamicQuantizedLinear with a constant right operand, dense or
 * sparse. x is quantized (or its levels taken) once for all nodes that read it; sums are exact.
 */
export const integerLinear: Kernel<IntegerSpec, null> = {
  name: "integer-linear",
  match(node, at) {
    const spec = integerSpec(node, at);
    if (spec === null || spec.layout === "dense") return spec;
    return null;
  },
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const operand = (input: number | null): Argument => (input === null ? 0 : to.buffer(node.inputs[input]!));
    const [xValue, weight] = [node.inputs[spec.x]!, node.inputs[spec.weight]!];
    const constant = to.constant(weight)!;
    const zeroPoints = spec.wZeroPoint === null ? null : to.constant(node.inputs[spec.wZeroPoint]!)!;
    const given = zeroPoints === null ? null : (zeroPoints as Tensor).numbers();
    const zeros = given?.some((zero) => zero !== 0) ? given : null;
    const dot = hasQuads(to.device) && fitsBytes(constant, zeros) ? QUADS : PAIRS;
    const { M, K, N } = spec;
    const key = keyOf(dot.form, spec, spec.xZeroPoint === null ? null : node.inputs[spec.xZeroPoint]!);
    const { x, factors } = prepare(dot.form, spec, to, {
      ...{ key, xValue, zeroPoint: operand(spec.xZeroPoint), xScale: operand(spec.xScale) },
      wScale: operand(spec.wScale),
      wSums: dot.form === "quads" ? sumsOf(spec, weight, to) : 0,
    });
    const ends = { bias: operand(spec.bias), residual: operand(spec.residual), scales: factors.scales };
    const product = { y: to.buffer(node.outputs[0]!), M, N, floats: spec.wScale !== null, epilogue: spec.epilogue };
    if (N <= MOST_FEW) {
      const strips = denseStrips(dot.form, M, K);
      const image = stripImage(strips, 4 * to.device.threads);
      const w = to.prepared(weight, `integer/strips/${dot.form}/${image.chunks}`, image.bytes, (target) =>
        writeStrips(strips, image, M, K, denseLevels(constant as Tensor), target),
      );
      const offsets = { weightsOfSums: offsetsOf(spec, weight, zeros, to), xSums: x.sums, starts: factors.starts };
      lowerFew({ strips, image, w, x: x.words, ...product, ...ends, ...offsets }, to);
      return;
    }
    const words = wordsOf(dot.form, K);
    const panels = panelsOf(words, N, mostVectors(dot));
    const packed = to.derived(xValue, `integer/panels/${key}/${panels.pitch}/${panels.count}`, () =>
      pack(to, panels, "token-major", x.words, words),
    );
    const w = to.prepared(weight, `integer/rows/${dot.form}/${zeros ?? ""}`, paddedRows(M) * words * 4, (target) =>
      writeWords(centeredRows(constant as Tensor, zeros), K, words, dot.form, target),
    );
    lowerPanelProduct({ weight, dot, panels, x: packed, ...product, ...ends, starts: factors.starts }, w, to);
  },
  cost: integerCost,
};

/** What tells one quantization of a value from another. */
const keyOf = (form: Form, { K }: IntegerSpec, zeroPoint: Value | null): string =>
  `${form}/${zeroPoint?.name ?? ""}/${K}`;

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
