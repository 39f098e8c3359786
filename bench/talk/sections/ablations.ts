import { normal, uniform } from "../../../src/cli/inputs.js";
import type { Model } from "../../../src/graph/index.js";
import { applySparse, constantNodesToConstants, weightsOf } from "../../../src/prune/index.js";
import { type QuantizationScheme, quantize } from "../../../src/quantize/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import type { PeerVariant, Variant } from "../whole-models.js";

/** Every layer of a kind under one pattern, by magnitude, as the talk's `apply_sparse` has it for linear ones. */
export async function pruned(
  name: string,
  model: Model,
  pattern: string,
  kind: "linear" | "conv" = "linear",
): Promise<Variant> {
  const layers = weightsOf(constantNodesToConstants(model)).filter((weight) => weight.kind === kind && !weight.tied);
  const sparse = await applySparse(model, { pattern, layers: layers.map((layer) => layer.name) });
  const layouts = new Set(sparse.weights.map(({ layout }) => layout));
  const entries = sparse.weights.map(({ weight }) => weight.rows * weight.cols);
  const zeros = sparse.weights.reduce((sum, { sparsity }, i) => sum + sparsity * entries[i]!, 0);
  const sparsity = Number((zeros / entries.reduce((a, b) => a + b, 0)).toPrecision(4));
  return { name, model: sparse.model, pattern, layout: layouts.size === 1 ? [...layouts][0]! : "mixed", sparsity };
}

/** int8 rounding differs from runtime to runtime by a code here and there. */
const INT8_TOLERANCE = 0.05;

/** Every linear layer quantized, dense or as its pattern left it. */
export async function quantized(
  name: string,
  { model, ...about }: Variant,
  scheme: QuantizationScheme,
): Promise<Variant> {
  const layers = weightsOf(constantNodesToConstants(model)).filter(({ kind, tied }) => kind === "linear" && !tied);
  const result = await quantize(model, { scheme, layers: layers.map((layer) => layer.name) });
  return { ...about, name, model: result.model, tolerance: INT8_TOLERANCE };
}

/**
 * The talk's rows, and what it leaves for future work: attention fused or not, int8, 2:4, blocks, and int8 on both. The first is what the others are
 * compared with.
 */
export function ablations(model: Model, withOperators: () => Model): (() => Promise<Variant>)[] {
  const float: Variant = { name: FUSED, model };
  const twoFour = once(() => pruned("2:4", model, "2:4"));
  const blocks = once(() => pruned("block 16×16, 90 %", model, "block:16x16@90%"));
  return [
    async () => float,
    async () => ({ name: OPERATORS, model: withOperators() }),
    () => quantized("int8 weight-only", float, "int8-weight-only"),
    () => quantized("int8 dynamic", float, "int8-dynamic"),
    twoFour,
    async () => quantized("2:4, int8 weight-only", await twoFour(), "int8-weight-only"),
    async () => quantized("2:4, int8 dynamic", await twoFour(), "int8-dynamic"),
    blocks,
    async () => quantized("block 16×16, 90 %, int8 dynamic", await blocks(), "int8-dynamic"),
  ];
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const FUSED = "float32, attention fused";
const OPERATORS = "float32, attention as operators";

/** onnxruntime on the float32 model, whichever spelling it runs faster, and on the dynamically quantized one. */
export const ONNXRUNTIMES: readonly PeerVariant[] = (["onnxruntime-web", "onnxruntime-node"] as const).flatMap((by) => [
  { name: by, by, of: [FUSED, OPERATORS] },
  { name: `${by}, int8 dynamic`, by, of: ["int8 dynamic"] },
]);

export function randomImage(shape: readonly number[]): Tensor {
  const next = uniform(7);
  const size = shape.reduce((a, b) => a * b, 1);
  return new Tensor(
    "float32",
    shape,
    Float32Array.from({ length: size }, () => normal(next)),
  );
}
