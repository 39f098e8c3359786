import type { Node, Value } from "../../../../graph/index.js";
import { paddedIndices } from "../../../../ops/shape/pad.js";
import { normalizeAxis, sizeOf, stridesOf } from "../../../../tensor/index.js";
import { i32 } from "../../asm/index.js";
import { anyKernel, type Kernel, type KernelCode, kernelFunction, type MatchContext } from "../../kernel.js";
import { perChunk } from "../rows.js";
import { launchCopy } from "./copy.js";
import { attributesOfNode, constantInts, elementBytes } from "./kernels.js";
import type { ElementBytes } from "./run.js";
import { launchTake, MOST_TABLE_WORDS, type Take } from "./take.js";

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
function beginsOf(node: Node, at: MatchContext): number[] | null {
  const { shape } = at.type(node.inputs[0]!);
  const pads = attributesOfNode<PadAttributes>(node).pads ?? constantInts(node, 1, at);
  const axes = constantInts(node, 3, at);
  if (pads == null || axes === undefined) return null;
  const begins = shape.map(() => 0);
  for (let i = 0; i < pads.length / 2; i++) begins[normalizeAxis(axes?.[i] ?? i, shape.length)] = pads[i]!;
  return begins;
}

/** ONNX Pad with a constant: the output is filled, then the input copied into its middle. */
const padConstant: Kernel<PadSpec, null> = {
  name: "pad",
  match(node, at) {
    if (node.op !== "Pad" || node.domain !== "") return null;
    const { mode, pads: attribute, value } = attributesOfNode<PadAttributes>(node);
    const [input, output] = [at.type(node.inputs[0]!).shape, at.type(node.outputs[0]!).shape];
    const bytes = elementBytes(node.inputs[0]!, at);
    const begins = beginsOf(node, at);
    if (mode !== "constant" || value !== 0 || bytes === null || begins === null) return null;
    const fill = attribute === null ? (node.inputs[2] ?? null) : null;
    return { begins, input, output, bytes, fill };
  },
  schedules: () => [null],
  lower({ begins, input, output, bytes, fill }, _, node, to) {
    const target = to.buffer(node.outputs[0]!);
    const total = sizeOf(output);
    if (fill !== null) {
      const from = { buffer: to.buffer(fill), start: 0, strides: [0] };
      // In rows of a chunk's length, so that threads share the work.
      const length = Math.min(total, perChunk(bytes));
      const rows = length === 0 ? 0 : Math.floor(total / length);
      const rest = total - rows * length;
      const into = { buffer: target, start: 0, strides: [length, 1] };
      launchCopy(to, { bytes, dims: [rows, length], into, from: { ...from, strides: [0, 0] } });
      launchCopy(to, { bytes, dims: [rest], into: { ...into, start: rows * length, strides: [1] }, from });
    } else {
      const each = 2 * perChunk(1);
      to.launch(zeroCode, [target, total * bytes, each], Math.ceil((total * bytes) / each));
    }
    const [from, into] = [stridesOf(input), stridesOf(output)];
    const dot = (index: readonly number[], strides: readonly number[]) =>
      index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0);
    const first = begins.map((begin) => Math.max(0, -begin));
    const at = begins.map((begin) => Math.max(0, begin));
    const dims = input.map((dim, axis) => Math.max(0, Math.min(dim - first[axis]!, output[axis]! - at[axis]!)));
    launchCopy(to, {
      bytes,
      dims,
      into: { buffer: target, start: dot(at, into), strides: into },
      from: { buffer: to.buffer(node.inputs[0]!), start: dot(first, from), strides: from },
    });
  },
  cost: ({ input, output, bytes }) => ({ multiplyAdds: 0, bytes: (sizeOf(input) + 2 * sizeOf(output)) * bytes }),
};

/** Arguments: to, bytes, bytes per chunk. */
const zeroCode: KernelCode = {
  key: "zero",
  build: () =>
    kernelFunction(3, (f, { chunk }, [to, total, each]) => {
      const begin = f.local("i32", i32.mul(chunk, each!));
      const left = f.local("i32", i32.sub(total!, begin));
      f.memoryFill(i32.add(to!, begin), 0, i32.min_s(left, each!));
    }),
};

/** ONNX Pad by the input's own elements (reflect, edge, wrap), axis by axis. */
const padRepeating: Kernel<readonly Take[], null> = {
  name: "pad by repeating",
  match(node, at) {
    if (node.op !== "Pad" || node.domain !== "") return null;
    const { mode } = attributesOfNode<PadAttributes>(node);
    const [input, output] = [at.type(node.inputs[0]!).shape, at.type(node.outputs[0]!).shape];
    const bytes = elementBytes(node.inputs[0]!, at);
    const begins = beginsOf(node, at);
    if (mode === "constant" || bytes === null || begins === null || input.includes(0)) return null;
    const left = [...input];
    const takes: Take[] = [];
    for (let axis = input.length - 1; axis >= 0; axis--) {
      const [dim, begin] = [input[axis]!, begins[axis]!];
      const end = output[axis]! - dim - begin;
      if (begin === 0 && end === 0) continue;
      const indices = paddedIndices(dim, begin, end, mode);
      takes.push({
        bytes,
        outer: sizeOf(left.slice(0, axis)),
        input: dim,
        inner: sizeOf(left.slice(axis + 1)),
        indices,
      });
      left[axis] = indices.length;
    }
    const fits = takes.every(({ indices }) => indices.length <= MOST_TABLE_WORDS);
    return fits && takes.length > 0 ? takes : null;
  },
  schedules: () => [null],
  lower(takes, _, node, to) {
    let from = to.buffer(node.inputs[0]!);
    takes.forEach((take, i) => {
      const bytes = take.bytes * take.outer * take.indices.length * take.inner;
      const target = i === takes.length - 1 ? to.buffer(node.outputs[0]!) : to.scratch(bytes);
      launchTake(to, take, target, from);
      from = target;
    });
  },
  cost: (takes) => ({
    multiplyAdds: 0,
    bytes: takes.reduce((sum, { bytes, outer, inner, indices }) => sum + 2 * bytes * outer * inner * indices.length, 0),
  }),
};

export const padKernels: readonly Kernel[] = [anyKernel(padConstant), anyKernel(padRepeating)];
