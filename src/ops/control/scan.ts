import type { Dim, Graph, ValueType } from "../../graph/index.js";
import { NonzeroError, normalizeAxis, sizeOf, type Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { intsOf, need, unifyDim } from "../infer.js";
import type { EvaluateContext, InferContext, Operand, Operator } from "../operator.js";
import { cut, fromSlots, newSlots, slotsOf, stack } from "../shape/move.js";
import { mergeTypes } from "./merge-types.js";
import { stackOutputs } from "./stack-outputs.js";

interface ScanAttributes {
  readonly body: Graph;
  /** The last inputs are scanned; those before are states. */
  readonly scanInputs: number;
  /** Opset 8: a first input with sequence lengths, batches along axis 0 of all others, the scan along axis 1. */
  readonly batched: boolean;
  readonly inputAxes: readonly number[];
  readonly outputAxes: readonly number[];
  readonly inputReversed: readonly boolean[];
  readonly outputReversed: readonly boolean[];
}

/**
 * ONNX Scan: runs `body` on each slice of the scanned inputs. The body maps [state…, slice…] to [state…, slice…]; the
 * outputs are the last states, and the slices of all steps stacked along a new axis. Opset 8 does so for each entry of
 * a batch; what a sequence shorter than the longest leaves out of its outputs is zero.
 */
export const scan: Operator<ScanAttributes> = {
  name: "Scan",
  domain: "",
  attributes: scanAttributes,
  infer(inputs, a, context) {
    const types = operandsOf(inputs, a).map((_, i) => need(inputs, i + (a.batched ? 1 : 0)).type);
    return a.batched ? inferBatched(types, a, context) : inferScan(types, a, context);
  },
  evaluate(inputs, a, context) {
    const operands = operandsOf(inputs, a).map((_, i) => need(inputs, i + (a.batched ? 1 : 0)));
    return a.batched ? runBatched(operands, inputs[0] ?? null, a, context) : runScan(operands, a, context);
  },
};

const operandsOf = <T>(inputs: readonly T[], a: ScanAttributes): readonly T[] => (a.batched ? inputs.slice(1) : inputs);

function scanAttributes(node: Attributes): ScanAttributes {
  const body = node.graph("body");
  const scanInputs = node.int("num_scan_inputs");
  const batched = node.version < 9;
  const states = node.node.inputs.length - (batched ? 1 : 0) - scanInputs;
  const scanOutputs = body.outputs.length - states;
  if (scanInputs < 1 || states < 0 || scanOutputs < 0 || body.inputs.length !== states + scanInputs)
    node.fail(
      "body",
      `${body.inputs.length} inputs and ${body.outputs.length} outputs do not fit ${scanInputs} scanned inputs`,
    );
  const list = (name: string, count: number): readonly number[] => {
    const values = node.ints(name, new Array<number>(count).fill(0));
    if (values.length !== count) node.fail(name, `[${values}] has not ${count} entries`);
    return values;
  };
  const flags = (name: string, count: number): boolean[] => list(name, count).map((flag) => flag === 1);
  return {
    body,
    scanInputs,
    batched,
    inputAxes: batched ? new Array<number>(scanInputs).fill(0) : list("scan_input_axes", scanInputs),
    outputAxes: batched ? new Array<number>(scanOutputs).fill(0) : list("scan_output_axes", scanOutputs),
    inputReversed: flags(batched ? "directions" : "scan_input_directions", scanInputs),
    outputReversed: batched
      ? new Array<boolean>(scanOutputs).fill(false)
      : flags("scan_output_directions", scanOutputs),
  };
}

function inferScan(types: readonly ValueType[], a: ScanAttributes, context: InferContext): ValueType[] {
  const count = types.length - a.scanInputs;
  const states = types.slice(0, count);
  let steps: Dim | undefined;
  const slices = types.slice(count).map(({ dtype, shape }, i): Operand => {
    if (shape === null) return { type: { dtype, shape } };
    const axis = normalizeAxis(a.inputAxes[i]!, shape.length);
    steps = steps === undefined ? shape[axis]! : unifyDim(steps, shape[axis]!, "the lengths of scanned inputs");
    return { type: { dtype, shape: shape.toSpliced(axis, 1) } };
  });
  const outputs = context.infer(a.body, [...states.map((type) => ({ type })), ...slices]);
  return outputs.map((type, i) => {
    if (i < count) return mergeTypes(states[i]!, type);
    if (type.shape === null || steps === undefined) return { dtype: type.dtype, shape: null };
    return { dtype: type.dtype, shape: type.shape.toSpliced(outputAxis(a, i - count, type.shape.length), 0, steps) };
  });
}

const outputAxis = (a: ScanAttributes, i: number, rank: number): number => normalizeAxis(a.outputAxes[i]!, rank + 1);

function inferBatched(types: readonly ValueType[], a: ScanAttributes, context: InferContext): ValueType[] {
  const batch = types.find((type) => type.shape !== null)?.shape?.[0];
  const entries = types.map(({ dtype, shape }) => ({ dtype, shape: shape === null ? null : shape.slice(1) }));
  return inferScan(entries, a, context).map(({ dtype, shape }) => ({
    dtype,
    shape: shape === null || batch === undefined ? null : [batch, ...shape],
  }));
}

function runScan(operands: readonly Tensor[], a: ScanAttributes, context: EvaluateContext, length?: number): Tensor[] {
  const count = operands.length - a.scanInputs;
  let states = operands.slice(0, count);
  const scanned = operands.slice(count);
  const axes = scanned.map((x, i) => normalizeAxis(a.inputAxes[i]!, x.shape.length));
  const lengths = scanned.map((x, i) => x.shape[axes[i]!]!);
  if (new Set(lengths).size > 1) throw new NonzeroError("shape", `the lengths of scanned inputs differ: ${lengths}`);
  const steps = length ?? lengths[0]!;
  const slices: Tensor[][] = a.outputAxes.map(() => []);
  for (let step = 0; step < steps; step++) {
    const elements = scanned.map((x, i) => {
      const at = a.inputReversed[i] ? steps - 1 - step : step;
      return cut(x, axes[i]!, at, 1).reshape(x.shape.toSpliced(axes[i]!, 1));
    });
    const outputs = context.run(a.body, [...states, ...elements]);
    states = outputs.slice(0, count);
    outputs.slice(count).forEach((output, i) => {
      slices[i]!.push(output);
    });
  }
  const stacked = slices.map((parts, i) =>
    stackOutputs(a.outputReversed[i] ? parts.toReversed() : parts, a.outputAxes[i]!, a.body.outputs[count + i]!),
  );
  return [...states, ...stacked];
}

function runBatched(
  operands: readonly Tensor[],
  sequenceLengths: Tensor | null,
  a: ScanAttributes,
  context: EvaluateContext,
): Tensor[] {
  const count = operands.length - a.scanInputs;
  const [batch, longest] = operands[count]!.shape as [number, number];
  const lengths = sequenceLengths === null ? new Array<number>(batch).fill(longest) : intsOf(sequenceLengths);
  if (
    operands.some((x) => x.shape[0] !== batch) ||
    lengths.length !== batch ||
    lengths.some((n) => n < 0 || n > longest)
  )
    throw new NonzeroError("shape", `lengths [${lengths}] do not fit ${batch} sequences of up to ${longest} steps`);
  const runs = lengths.map((length, entry) => {
    const inputs = operands.map((x) => cut(x, 0, entry, 1).reshape(x.shape.slice(1)));
    return runScan(inputs, a, context, length).map((output, i) => (i < count ? output : lengthened(output, longest)));
  });
  return a.body.outputs.map((output, i) =>
    runs.length === 0 ? stackOutputs([], 0, output) : stack(runs.map((outputs) => outputs[i]!)),
  );
}

/** `x` with zeros after its end along axis 0. */
function lengthened(x: Tensor, length: number): Tensor {
  if (x.shape[0] === length) return x;
  const shape = x.shape.with(0, length);
  const slots = newSlots(x.dtype, sizeOf(shape));
  slotsOf(x).forEach((slot, i) => {
    slots[i] = slot;
  });
  return fromSlots(x.dtype, shape, slots);
}
