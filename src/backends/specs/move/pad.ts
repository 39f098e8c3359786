import type { Node, Value } from "../../../graph/index.js";
import { paddedIndices } from "../../../ops/shape/pad.js";
import { normalizeAxis, sizeOf } from "../../../tensor/index.js";
import {
  attributesOfNode,
  type Cost,
  constantInts,
  type ElementBytes,
  elementBytes,
  type NodeContext,
} from "../node.js";
import type { Take } from "./take.js";

export interface PadSpec {
  /** Elements added before each axis; negative ones are cut off. */
  readonly begins: readonly number[];
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly bytes: ElementBytes;
  /** The value that fills, zero without. */
  readonly fill: Value | null;
}

interface PadAttributes {
  readonly mode: Parameters<typeof paddedIndices>[3];
  readonly pads: readonly number[] | null;
  readonly value: number;
}

/** What each axis is padded with at its beginning; null where that is not known. */
function beginsOf(node: Node, at: NodeContext): number[] | null {
  const { shape } = at.type(node.inputs[0]!);
  const pads = attributesOfNode<PadAttributes>(node).pads ?? constantInts(node, 1, at);
  const axes = constantInts(node, 3, at);
  if (pads == null || axes === undefined) return null;
  const begins = shape.map(() => 0);
  for (let i = 0; i < pads.length / 2; i++) begins[normalizeAxis(axes?.[i] ?? i, shape.length)] = pads[i]!;
  return begins;
}

/** ONNX Pad with a constant; null for all else. */
export function padSpec(node: Node, at: NodeContext): PadSpec | null {
  if (node.op !== "Pad" || node.domain !== "") return null;
  const { mode, pads: attribute, value } = attributesOfNode<PadAttributes>(node);
  const [input, output] = [at.type(node.inputs[0]!).shape, at.type(node.outputs[0]!).shape];
  const bytes = elementBytes(node.inputs[0]!, at);
  const begins = beginsOf(node, at);
  if (mode !== "constant" || value !== 0 || bytes === null || begins === null) return null;
  const fill = attribute === null ? (node.inputs[2] ?? null) : null;
  return { begins, input, output, bytes, fill };
}

export const padCost = ({ input, output, bytes }: PadSpec): Cost => ({
  multiplyAdds: 0,
  bytes: (sizeOf(input) + 2 * sizeOf(output)) * bytes,
});

/** Padding by the input's own elements. */
export interface RepeatingPadSpec {
  readonly mode: Exclude<PadAttributes["mode"], "constant">;
  /** Elements added before each axis; negative ones are cut off. */
  readonly begins: readonly number[];
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly bytes: ElementBytes;
}

/** ONNX Pad by the input's own elements (reflect, edge, wrap); null for all else. */
export function repeatingPadSpec(node: Node, at: NodeContext): RepeatingPadSpec | null {
  if (node.op !== "Pad" || node.domain !== "") return null;
  const { mode } = attributesOfNode<PadAttributes>(node);
  const [input, output] = [at.type(node.inputs[0]!).shape, at.type(node.outputs[0]!).shape];
  const bytes = elementBytes(node.inputs[0]!, at);
  const begins = beginsOf(node, at);
  if (mode === "constant" || bytes === null || begins === null || input.includes(0)) return null;
  if (begins.every((begin) => begin === 0) && input.join() === output.join()) return null;
  return { mode, begins, input, output, bytes };
}

/** The padding as takes, axis by axis. */
export function takesOfPad({ mode, begins, input, output, bytes }: RepeatingPadSpec): Take[] {
  const left = [...input];
  const takes: Take[] = [];
  for (let axis = input.length - 1; axis >= 0; axis--) {
    const [dim, begin] = [input[axis]!, begins[axis]!];
    const end = output[axis]! - dim - begin;
    if (begin === 0 && end === 0) continue;
    const indices = paddedIndices(dim, begin, end, mode);
    const [outer, inner] = [sizeOf(left.slice(0, axis)), sizeOf(left.slice(axis + 1))];
    takes.push({ bytes, outer, input: dim, inner, indices });
    left[axis] = indices.length;
  }
  return takes;
}

export const repeatingPadCost = ({ input, output, bytes }: RepeatingPadSpec): Cost => ({
  multiplyAdds: 0,
  bytes: (sizeOf(input) + sizeOf(output)) * bytes,
});
