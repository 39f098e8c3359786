import { type Readers, readersOf } from "../compiler/weight-axes.js";
import type { Model, Value } from "../graph/index.js";
import { groupSizeOf, SparseTensor } from "../layouts/index.js";
import { constantNodesToConstants, type LayerSelection, selectLayers, type Weight, weightsOf } from "../prune/index.js";
import { byteLengthOf, locate, NonzeroError } from "../tensor/index.js";
import { fourBits } from "./int4.js";
import { dynamic, productsOf, type QuantizedConstant, weightOnly } from "./int8.js";
import { editWeights, type WeightEdit } from "./plan.js";

/**
 * | scheme | weights | activations | as ONNX |
 * | --- | --- | --- | --- |
 * | `int8-weight-only` | int8, symmetric, a scale an output channel | as they are | DequantizeLinear of the codes |
 * | `int8-dynamic` | the same | uint8, quantized as they come, of MatMul and Gemm | DynamicQuantizeLinear → MatMulInteger → Cast → Mul [→ Add], as onnxruntime's `quantize_dynamic` |
 * | `int4` | 4 bits, a scale for each group of inputs | as they are | com.microsoft MatMulNBits, GatherBlockQuantized |
 */
export type QuantizationScheme = "int8-weight-only" | "int8-dynamic" | "int4";
export const SCHEMES: readonly QuantizationScheme[] = ["int8-weight-only", "int8-dynamic", "int4"];

/** Inputs that share a scale. */
export type GroupSize = 32 | 64 | 128;
export const GROUP_SIZES: readonly GroupSize[] = [32, 64, 128];

export interface QuantizeOptions extends LayerSelection {
  readonly scheme: QuantizationScheme;
  /** Of `int4`; 32 when absent. */
  readonly groupSize?: GroupSize;
  /** Of `int4`: without zero points; true when absent. */
  readonly symmetric?: boolean;
  /** Also tables that Gather reads, and weights that several kinds of nodes read; false when absent. With `layers` those alone decide. */
  readonly embeddings?: boolean;
  /** Called after each weight. */
  readonly onProgress?: (done: number, total: number, weight: QuantizedWeight) => void;
  /** Stops between weights with NonzeroError "aborted". */
  readonly signal?: AbortSignal;
}

/** What became of one weight. */
export interface QuantizedWeight {
  readonly weight: Weight;
  /** How it is stored: `int8`, `int4`, or `float` where it was left as it is. */
  readonly stored: "int8" | "int4" | "float";
  /** Bytes as float32 (float16 for a float16 weight) with all its zeros, and now: codes, scales, zero points, a sparse one's indices. */
  readonly denseBytes: number;
  readonly bytes: number;
  /** Why it was left as it is, or is stored otherwise than the scheme says. */
  readonly notes: readonly string[];
}

export interface Quantized {
  readonly model: Model;
  readonly weights: readonly QuantizedWeight[];
}

/** Opset that brought DequantizeLinear with a scale an axis. */
const LEAST_OPSET = 13;
/** Opset that brought DequantizeLinear to float16. */
const FLOAT16_OPSET = 19;

/**
 * Quantizes weights; names and forms are onnxruntime's and torchao's. Without `layers`: every linear and convolution weight. What no operator
 * reads in 4 bits (convolutions) has 8 under `int4`. Sparse weights stay sparse, with int8 values. Weights that are quantized already are left alone.
 * @throws NonzeroError "invalid-argument" (scheme, group size), "not-found" (layers), "unsupported" (an opset below 13), "layout" (NaN or infinity in a
 * weight), "aborted".
 */
export async function quantize(original: Model, options: QuantizeOptions): Promise<Quantized> {
  const { scheme, groupSize = 32, symmetric = true, signal, onProgress } = options;
  if (!SCHEMES.includes(scheme))
    throw new NonzeroError("invalid-argument", `no scheme '${scheme}': there are ${SCHEMES.join(", ")}`, {
      field: "scheme",
    });
  if (!GROUP_SIZES.includes(groupSize))
    throw new NonzeroError("invalid-argument", `groups are of ${GROUP_SIZES.join(", ")} inputs, not ${groupSize}`, {
      field: "groupSize",
    });
  const model = constantNodesToConstants(original);
  const opset = model.opsets.get("") ?? 0;
  if (opset < LEAST_OPSET)
    throw new NonzeroError(
      "unsupported",
      `scales an output channel need opset ${LEAST_OPSET}, the model imports ${opset}`,
    );
  const chosen = chosenWeights(model, options);
  if (chosen.length === 0)
    throw new NonzeroError("not-found", "the model has no weights to quantize", { field: "layers" });
  const readers = readersOf(model.graph);
  const edits = new Map<Value, WeightEdit>();
  const weights: QuantizedWeight[] = [];
  for (const weight of chosen) {
    if (signal?.aborted) throw new NonzeroError("aborted", "quantization was stopped");
    const denseBytes = byteLengthOf(weight.constant.dtype, weight.rows * weight.cols);
    const place = { node: weight.nodes[0], field: weight.name };
    const elsewhere = isReadElsewhere(weight, readers);
    const result = locate(place, () => quantized(weight, { scheme, groupSize, symmetric }, opset, elsewhere));
    if ("edit" in result) edits.set(weight.value, result.edit);
    const bytes = "edit" in result ? result.bytes : weight.constant.byteLength;
    const done: QuantizedWeight = { weight, denseBytes, stored: result.stored, bytes, notes: result.notes };
    weights.push(done);
    onProgress?.(weights.length, chosen.length, done);
    await new Promise((next) => setTimeout(next)); // a stop is heard here
  }
  return { model: editWeights(model, edits, scheme === "int4" ? ["com.microsoft"] : []), weights };
}

function chosenWeights(model: Model, { layers, skip = [], embeddings = false }: QuantizeOptions): Weight[] {
  const selection = { ...(layers === undefined ? {} : { layers }), skip };
  const chosen = selectLayers(model, selection);
  if (!embeddings || (layers !== undefined && layers.length > 0)) return chosen;
  const tables = weightsOf(model).filter(({ kind, tied }) => tied || kind === "embedding");
  if (tables.length === 0) return chosen;
  return [...chosen, ...selectLayers(model, { layers: tables.map(({ name }) => name), skip })];
}

/** Whether a weight's floats are asked for by others than the nodes that it is a weight to: other operators, or as an output. */
function isReadElsewhere({ value, readers: own }: Weight, readers: Readers): boolean {
  const others = (from: Value): boolean =>
    (readers.get(from) ?? []).some((read) => {
      if (read === null) return true;
      const { node } = read;
      if (own.includes(node)) return false;
      return node.op !== "Transpose" || node.domain !== "" || others(node.outputs[0]!);
    });
  return others(value);
}

type Result = Pick<QuantizedWeight, "stored" | "notes"> & (QuantizedConstant | { readonly stored: "float" });

function quantized(
  weight: Weight,
  { scheme, groupSize, symmetric }: Required<Pick<QuantizeOptions, "scheme" | "groupSize" | "symmetric">>,
  opset: number,
  elsewhere: boolean,
): Result {
  const { constant, rows, cols } = weight;
  const sparse = constant instanceof SparseTensor;
  const left = (reason: string): Result => ({ stored: "float", notes: [`left as it is: ${reason}`] });
  if (rows * cols === 0) return left("it is empty");
  if (constant.dtype !== "float32" && constant.dtype !== "float16") return left(`it is ${constant.dtype}`);
  if (sparse && groupSizeOf(constant.stored.layout) !== null) return left("it is quantized already");
  const eightBits = (notes: readonly string[]): Result => {
    if (!sparse && constant.dtype === "float16" && opset < FLOAT16_OPSET)
      return left(`float16 of 8 bits needs opset ${FLOAT16_OPSET}, the model imports ${opset}`);
    return { ...weightOnly(weight, opset), stored: "int8", notes };
  };
  if (scheme === "int4") {
    if (sparse) return eightBits(["8 bits: sparse weights have no 4-bit form"]);
    const result = fourBits(weight, { groupSize, symmetric }, opset, elsewhere);
    return typeof result === "string" ? eightBits([`8 bits: ${result}`]) : { ...result, stored: "int4", notes: [] };
  }
  const products = scheme === "int8-dynamic" && constant.dtype === "float32" ? productsOf(weight) : new Map();
  if (products.size === 0) return eightBits([]);
  return { ...dynamic(weight, products, opset, elsewhere), stored: "int8", notes: [] };
}
