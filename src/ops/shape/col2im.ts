import type { Dim } from "../../graph/index.js";
import { NonzeroError, sizeOf, stridesOf } from "../../tensor/index.js";
import { elementsOf, offsetsOf, tensorOf } from "../elementwise.js";
import { intsOf, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { checkShape, listLength, mapDim, unknownDim, unknownDims } from "./dims.js";
import { newSlots } from "./move.js";

interface Col2ImAttributes {
  readonly dilations: readonly number[] | null;
  readonly pads: readonly number[] | null;
  readonly strides: readonly number[] | null;
}

/**
 * ONNX Col2Im (PyTorch's fold): [N, C × block, L] to [N, C, image…]. Column l holds the block at position l of a sliding
 * window (row-major); elements that fall on one pixel add up, those on the padding are dropped.
 */
export const col2Im: Operator<Col2ImAttributes> = {
  name: "Col2Im",
  domain: "",
  shapeInputs: [1, 2],
  attributes: (node) => ({
    dilations: node.optional("dilations", "ints") ?? null,
    pads: node.optional("pads", "ints") ?? null,
    strides: node.optional("strides", "ints") ?? null,
  }),
  infer(inputs) {
    const { dtype, shape } = need(inputs, 0).type;
    const image = knownInts(need(inputs, 1));
    const block = knownInts(need(inputs, 2));
    const rank = image?.length ?? listLength(need(inputs, 1));
    if (rank === undefined) return [{ dtype, shape: null }];
    const channels: Dim = block && shape ? mapDim(shape[1]!, (c) => channelsOf(c, block)) : unknownDim();
    return [{ dtype, shape: [shape?.[0] ?? unknownDim(), channels, ...(image ?? unknownDims(rank))] }];
  },
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    const image = intsOf(need(inputs, 1));
    const block = intsOf(need(inputs, 2));
    const { length: rank } = image;
    if (x.shape.length !== 3 || block.length !== rank)
      throw new NonzeroError(
        "shape",
        `columns [${x.shape}], image [${image}] and block [${block}] do not fit together`,
      );
    const ones = new Array<number>(rank).fill(1);
    const dilations = a.dilations ?? ones;
    const strides = a.strides ?? ones;
    const pads = a.pads ?? new Array<number>(2 * rank).fill(0);
    const [batch, , columns] = x.shape as [number, number, number];
    const channels = channelsOf(x.shape[1]!, block);
    const windows = image.map((dim, i) =>
      Math.floor((dim + pads[i]! + pads[i + rank]! - dilations[i]! * (block[i]! - 1) - 1) / strides[i]! + 1),
    );
    if (windows.some((count) => count < 0) || sizeOf(windows) !== columns)
      throw new NonzeroError("shape", `${columns} columns, but the window takes ${windows.join(" × ")} positions`);

    const shape = checkShape([batch, channels, ...image]);
    const from = elementsOf(x) as number[];
    const to = newSums(x.dtype, sizeOf(shape));
    const pixels = sizeOf(image);
    const targets = windowPixels(image, block, windows, dilations, strides, pads);
    for (let plane = 0; plane < batch * channels; plane++) {
      for (let i = 0; i < targets.length; i++) {
        if (targets[i]! >= 0) to[plane * pixels + targets[i]!]! += from[plane * targets.length + i]!;
      }
    }
    return [tensorOf(x.dtype, shape, to)];
  },
};

const newSums = (dtype: Parameters<typeof newSlots>[0], count: number): number[] =>
  dtype === "int64" || dtype === "uint64" ? newSlots(dtype, count) : (new Float64Array(count) as unknown as number[]);

function channelsOf(columns: number, block: readonly number[]): number {
  const size = sizeOf(block);
  if (columns % size !== 0) throw new NonzeroError("shape", `${columns} is no multiple of the block [${block}]`);
  return columns / size;
}

/** The pixel of each element of a plane's [block, window] columns; -1 on the padding. */
function windowPixels(
  image: readonly number[],
  block: readonly number[],
  windows: readonly number[],
  dilations: readonly number[],
  strides: readonly number[],
  pads: readonly number[],
): Int32Array {
  const steps = stridesOf(image);
  const targets = new Int32Array(sizeOf(block) * sizeOf(windows));
  image.forEach((dim, axis) => {
    const unit = (shape: readonly number[], at: number): number[] => shape.map((_, i) => (i === at ? 1 : 0));
    const { length: rank } = image;
    const shape = [...block, ...windows];
    const inBlock = offsetsOf(shape, unit(shape, axis));
    const inWindow = offsetsOf(shape, unit(shape, axis + rank));
    for (let i = 0; i < targets.length; i++) {
      const at = inBlock[i]! * dilations[axis]! + inWindow[i]! * strides[axis]! - pads[axis]!;
      if (at < 0 || at >= dim || targets[i]! < 0) targets[i] = -1;
      else targets[i] = targets[i]! + at * steps[axis]!;
    }
  });
  return targets;
}
