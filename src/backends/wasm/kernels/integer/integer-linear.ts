import type { Value } from "../../../../graph/index.js";
import type { Tensor } from "../../../../tensor/index.js";
import { type IntegerSpec, integerCost, integerSpec } from "../../../specs/integer/integer-linear.js";
import type { Argument, Kernel, Lowering } from "../../kernel.js";
import { pack, panelsOf } from "../matmul/panels.js";
import { hasQuads, PAIRS, QUADS } from "./dot.js";
import { type Factors, lowerFactors } from "./factors.js";
import { lowerPanelProduct, paddedRows } from "./panel.js";
import { type Form, type Quantized, quantize, wordsOf } from "./quantize.js";
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
    const zeros = zeroPoints === null ? null : (zeroPoints as Tensor).numbers();
    const dot = hasQuads(to.device) && fitsBytes(constant, zeros) ? QUADS : PAIRS;
    const { M, K, N } = spec;
    const key = keyOf(dot.form, spec, spec.xZeroPoint === null ? null : node.inputs[spec.xZeroPoint]!);
    const { x, factors } = prepare(dot.form, spec, to, {
      ...{ key, xValue, zeroPoint: operand(spec.xZeroPoint), xScale: operand(spec.xScale) },
      wScale: operand(spec.wScale),
      wSums: dot.form === "quads" ? sumsOf(spec, weight, to) : 0,
    });
    const words = wordsOf(dot.form, K);
    const panels = panelsOf(words, N, mostVectors(dot));
    const packed = to.derived(xValue, `integer/panels/${key}/${panels.pitch}/${panels.count}`, () =>
      pack(to, panels, "token-major", x.words, words),
    );
    const w = to.prepared(weight, `integer/rows/${dot.form}/${zeros ?? ""}`, paddedRows(M) * words * 4, (target) =>
      writeWords(centeredRows(constant as Tensor, zeros), K, words, dot.form, target),
    );
    const shared = { weight, dot, panels, x: packed, y: to.buffer(node.outputs[0]!), M, epilogue: spec.epilogue };
    const ends = { bias: operand(spec.bias), residual: operand(spec.residual), ...factors };
    lowerPanelProduct({ ...shared, floats: spec.wScale !== null, ...ends }, w, to);
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
  return to.prepared(weight, "integer/sums", 4 * Math.ceil(M / 8) * 8, (target) => {
    new Int32Array(target.buffer, target.byteOffset, M).set(rowSums(to.constant(weight)!, M));
  });
}
