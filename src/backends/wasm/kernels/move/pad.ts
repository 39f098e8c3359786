import type { Value } from "../../../../graph/index.js";
import { normalizeAxis, sizeOf, stridesOf } from "../../../../tensor/index.js";
import { i32 } from "../../asm/index.js";
import { anyKernel, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { perChunk } from "../rows.js";
import { launchCopy } from "./copy.js";
import { attributesOfNode, constantInts, elementBytes } from "./kernels.js";
import type { ElementBytes } from "./run.js";

interface PadSpec {
  /** Elements added before each axis; negative ones are cut off. */
  readonly begins: readonly number[];
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly bytes: ElementBytes;
  /** The value that fills, zero without. */
  readonly fill: Value | null;
}

interface PadAttributes {
  readonly mode: string;
  readonly pads: readonly number[] | null;
  readonly value: number;
}

/** ONNX Pad with a constant: the output is filled, then the input copied into its middle. */
const pad: Kernel<PadSpec, null> = {
  name: "pad",
  match(node, at) {
    if (node.op !== "Pad" || node.domain !== "") return null;
    const { mode, pads: attribute, value } = attributesOfNode<PadAttributes>(node);
    const [input, output] = [at.type(node.inputs[0]!).shape, at.type(node.outputs[0]!).shape];
    const bytes = elementBytes(node.inputs[0]!, at);
    const pads = attribute ?? constantInts(node, 1, at);
    const axes = constantInts(node, 3, at);
    if (mode !== "constant" || value !== 0 || bytes === null || pads == null || axes === undefined) return null;
    const begins = input.map(() => 0);
    const count = pads.length / 2;
    for (let i = 0; i < count; i++) begins[normalizeAxis(axes?.[i] ?? i, input.length)] = pads[i]!;
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
    kernelFunction(3, (f, chunk, [to, total, each]) => {
      const begin = f.local("i32", i32.mul(chunk, each!));
      const left = f.local("i32", i32.sub(total!, begin));
      f.memoryFill(i32.add(to!, begin), 0, i32.min_s(left, each!));
    }),
};

export const padKernel: Kernel = anyKernel(pad);
