import type { Value } from "../../../../graph/index.js";
import { SparseTensor } from "../../../../layouts/index.js";
import type { Order } from "../../../specs/matmul/epilogue.js";
import { type LinearSpec, linearCost, linearSpec } from "../../../specs/matmul/linear.js";
import { type Binding, type Buffer, type Kernel, type Lowering, largestBuffer } from "../../kernel.js";
import { groups } from "../../wgsl/index.js";
import { ALIGNED_ROWS, denseBytes, denseParts, inParts, uploadPart } from "../parts.js";
import { launchTile, resultBindings, type TileLaunch } from "./launch.js";
import {
  allEntries,
  entriesBetween,
  entriesInOrder,
  prepareBands,
  prepareColumns,
  prepareExpand,
  type TileForms,
  words,
} from "./prepare.js";
import { rowsPreparer } from "./prepare-rows.js";
import { MOST_TOKENS, ROWS, type RowForm, rowShader } from "./rows.js";
import { type Form, sparseSchedule, tileFor, tilesFor } from "./schedule.js";
import type { Tile } from "./tiling.js";

/**
 * MatMul, Gemm, FusedMatMul and Linear with a constant weight, dense or sparse in any layout: by tiles, or, for few tokens, row by row. x may
 * have leading axes, which count as tokens; x and y are read and written in the order that the node has them. A weight too large for one
 * buffer has several, with some of its rows each, and a launch for each.
 */
export const linear: Kernel<LinearSpec, Tile | null> = {
  name: "linear",
  match: linearSpec,
  // Blocks and columns have tiles of their own.
  schedules: ({ M, N, batch, layout }, device) =>
    isFew(N, batch) || /^(bsr|bnm|cols|shuffled)/.test(layout) ? [null] : tilesFor(M, N, batch, device),
  lower(spec, scheduled, node, to) {
    const { M, K, N, batch, xOrder, yOrder, epilogue } = spec;
    const weight = node.inputs[spec.weight]!;
    const constant = to.constant(weight)!;
    const operand = (input: number | null): Buffer | null => (input === null ? null : to.buffer(node.inputs[input]!));
    const shared = {
      ...{ M, K, N, yOrder, epilogue, y: to.buffer(node.outputs[0]!) },
      x: { buffer: operand(spec.x)!, order: xOrder, batch: [0, 0, K * N] },
      batch: [1, 1, batch],
      bias: operand(spec.bias),
      residual: operand(spec.residual),
    } satisfies Partial<TileLaunch>;
    const few = isFew(N, batch);
    const tileGiven = scheduled ?? tileFor(M, N, batch, to.device);
    if (constant instanceof SparseTensor) {
      const scales = scalesOf(to, weight, constant);
      const together = rowsTogether(constant);
      if (few) {
        for (const part of inParts(M, together, to.device, rowsPreparer(constant))) {
          const { form, key, pitch, vectors } = part.made;
          const weights = uploadPart(to, weight, key, part, M);
          launchRows(to, { ...shared, ...part, scales }, form, weights, { pitch, vectors });
        }
        return;
      }
      const { tile, form } = sparseSchedule(constant, tileGiven, to.device);
      const order = form.kind === "columns" && form.order ? uploadOrder(to, weight, form.order) : null;
      for (const part of inParts(M, order === null ? together : M, to.device, tilePreparer(constant, tile, form))) {
        const buffers = uploadPart(to, weight, part.made.key, part, M);
        launchTile(to, { ...shared, ...part, scales, order, tile, weights: { ...part.made, buffers } });
      }
      return;
    }
    const order = spec.perm[0] === 0 ? "token-major" : "feature-major";
    const parts = denseWeight(to, weight, order, M, K);
    if (few && order === "token-major" && K % 4 === 0) {
      for (const { buffer, ...part } of parts)
        launchRows(
          to,
          { ...shared, ...part, scales: null },
          { kind: "dense" },
          { w: buffer },
          { pitch: 0, vectors: K / 4 },
        );
      return;
    }
    for (const { buffer, ...part } of parts) {
      const dense = { buffer, order, batch: [0, 0, 0] } as const;
      launchTile(to, { ...shared, ...part, scales: null, tile: tileGiven, weights: { dense } });
    }
  },
  cost: linearCost,
};

const isFew = (N: number, batch: number): boolean => N <= MOST_TOKENS && batch === 1;

/** One factor a row, with int8. */
function scalesOf(to: Lowering, weight: Value, tensor: SparseTensor): Buffer | null {
  const { scales } = allEntries(tensor);
  if (scales === null) return null;
  return to.prepared(weight, "matmul/scales", Math.max(16, 4 * scales.length), (target) => {
    target.set(new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength));
  });
}

/** The row of y for each row of a shuffled weight. */
const uploadOrder = (to: Lowering, weight: Value, order: ArrayLike<number>): Buffer =>
  to.prepared(weight, "matmul/order", Math.max(16, 4 * order.length), (target) => words(target).set(order));

/** Parts of a weight begin at multiples of this: whole bands or blocks, and where bindings may begin. */
function rowsTogether({ stored }: SparseTensor): number {
  const height = /^(?:v:n:m:|bsr:|bnm:)(\d+)/.exec(stored.layout)?.[1];
  return leastCommonMultiple(ALIGNED_ROWS, Number(height ?? 1));
}

function leastCommonMultiple(a: number, b: number): number {
  let multiple = a;
  while (multiple % b !== 0) multiple += a;
  return multiple;
}

function tilePreparer(tensor: SparseTensor, tile: Tile, form: Form): (begin: number, end: number) => TileForms {
  const order = form.kind === "columns" ? form.order : undefined;
  const all = order === undefined ? allEntries(tensor) : entriesInOrder(allEntries(tensor), order);
  return (begin, end) => {
    const entries = entriesBetween(all, begin, end);
    switch (form.kind) {
      case "bands":
        return prepareBands(entries, tile, form);
      case "columns":
        return prepareColumns(entries, tile, form.run);
      case "expand":
        return prepareExpand(entries, tile, form.pairs);
    }
  };
}

/** A dense weight [M, K] or, feature-major, [K, M]: as it is, or rows of W where it is too large for one buffer. */
function denseWeight(to: Lowering, weight: Value, order: Order, M: number, K: number) {
  if (4 * M * K <= largestBuffer(to.device)) return [{ begin: 0, end: M, buffer: to.buffer(weight) }];
  if (order === "token-major") return denseParts(to, weight, [M, 4 * K], ALIGNED_ROWS);
  const bytes = denseBytes(to, weight);
  const parts = inParts(M, ALIGNED_ROWS, to.device, (begin, end) => {
    const [from, length] = [4 * begin, 4 * (end - begin)];
    const fill = (target: Uint8Array): void => {
      for (let k = 0; k < K; k++) target.set(bytes().subarray(4 * M * k + from, 4 * M * k + from + length), length * k);
    };
    return { forms: { columns: { bytes: length * K, fill } } };
  });
  return parts.map((part) => ({ ...part, buffer: uploadPart(to, weight, "dense", part, M).columns }));
}

/** Adds the launch for few tokens. */
function launchRows(
  to: Lowering,
  spec: Pick<
    TileLaunch,
    "M" | "begin" | "end" | "K" | "N" | "x" | "y" | "yOrder" | "epilogue" | "bias" | "residual" | "scales"
  >,
  form: RowForm,
  weights: Readonly<Record<string, Buffer>>,
  { pitch, vectors }: { pitch: number; vectors: number },
): void {
  const { begin = 0, end = spec.M, K, N, x, yOrder, epilogue } = spec;
  const rows = end - begin;
  const code = rowShader({ form, tokens: N, xOrder: x.order, yOrder, epilogue, scaled: spec.scales !== null });
  const bindings: Record<string, Binding> = { ...weights, x: x.buffer, ...resultBindings(spec) };
  to.launch(code, bindings, { M: rows, K, N, yStride: spec.M, pitch, vectors }, groups(Math.ceil(rows / ROWS)));
}
