import { sizeOf, stridesOf } from "../../../../tensor/index.js";
import {
  type PadSpec,
  padCost,
  padSpec,
  type RepeatingPadSpec,
  repeatingPadCost,
  repeatingPadSpec,
  takesOfPad,
} from "../../../specs/move/pad.js";
import { MOST_TABLE_WORDS } from "../../../specs/move/take.js";
import { i32 } from "../../asm/index.js";
import { anyKernel, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { perChunk } from "../rows.js";
import { launchCopy } from "./copy.js";
import { launchTake } from "./take.js";

/** ONNX Pad with a constant: the output is filled, then the input copied into its middle. */
const padConstant: Kernel<PadSpec, null> = {
  name: "pad",
  match: padSpec,
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
  cost: padCost,
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
const padRepeating: Kernel<RepeatingPadSpec, null> = {
  name: "pad by repeating",
  match(node, at) {
    const spec = repeatingPadSpec(node, at);
    return spec !== null && takesOfPad(spec).every(({ indices }) => indices.length <= MOST_TABLE_WORDS) ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _, node, to) {
    const takes = takesOfPad(spec);
    let from = to.buffer(node.inputs[0]!);
    takes.forEach((take, i) => {
      const bytes = take.bytes * take.outer * take.indices.length * take.inner;
      const target = i === takes.length - 1 ? to.buffer(node.outputs[0]!) : to.scratch(bytes);
      launchTake(to, take, target, from);
      from = target;
    });
  },
  cost: repeatingPadCost,
};

export const padKernels: readonly Kernel[] = [anyKernel(padConstant), anyKernel(padRepeating)];
