import type { Node } from "../../../../graph/index.js";
import { SparseTensor } from "../../../../layouts/index.js";
import { type LinearSpec, linearCost, linearSpec } from "../../../specs/matmul/linear.js";
import type { Buffer, Kernel, Lowering } from "../../kernel.js";
import { groups } from "../../wgsl/index.js";
import { launchTile, type TileLaunch } from "./launch.js";
import { type PreparedWeights, prepareBands, prepareColumns, prepareExpand } from "./prepare.js";
import { prepareRows } from "./prepare-rows.js";
import { MOST_TOKENS, ROWS, type RowForm, rowShader } from "./rows.js";
import { sparseSchedule, type TileSchedule, tileFor } from "./schedule.js";
import type { Tile } from "./tile.js";

/**
 * MatMul, Gemm, FusedMatMul and Linear with a constant weight, dense or sparse in any layout: by tiles, or, for few tokens, row by row. x may have leading axes, which count as
 * tokens; x and y are read and written in the order that the node has them.
 */
export const linear: Kernel<LinearSpec, null> = {
  name: "linear",
  match: linearSpec,
  schedules: () => [null],
  lower(spec, _, node, to) {
    const { M, K, N, batch, perm, xOrder, yOrder, epilogue } = spec;
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
    const few = N <= MOST_TOKENS && batch === 1;
    if (few && constant instanceof SparseTensor) {
      const rows = prepareRows(to, weight, constant);
      launchRows(to, spec, rows.form, { ...rows.buffers, scales: rows.scales }, rows, node);
      return;
    }
    if (few && perm[0] === 0 && K % 4 === 0) {
      launchRows(
        to,
        spec,
        { kind: "dense" },
        { w: to.buffer(weight), scales: null },
        { pitch: 0, vectors: K / 4 },
        node,
      );
      return;
    }
    if (!(constant instanceof SparseTensor)) {
      const dense = {
        buffer: to.buffer(weight),
        order: perm[0] === 0 ? "token-major" : "feature-major",
        batch: [0, 0, 0],
      } as const;
      launchTile(to, { ...shared, tile: tileFor(M, N, batch, to.device), weights: { dense }, scales: null });
      return;
    }
    const { tile, form } = sparseSchedule(constant, N, batch, to.device);
    const prepared = prepare(to, weight, constant, tile, form);
    launchTile(to, { ...shared, tile, weights: prepared, scales: prepared.scales });
  },
  cost: linearCost,
};

function prepare(
  to: Lowering,
  weight: Parameters<Lowering["constant"]>[0],
  tensor: SparseTensor,
  tile: Tile,
  form: TileSchedule["form"],
): PreparedWeights {
  switch (form.kind) {
    case "bands":
      return prepareBands(to, weight, tensor, tile, form);
    case "columns":
      return prepareColumns(to, weight, tensor, tile, form.run);
    case "expand":
      return prepareExpand(to, weight, tensor, tile);
  }
}

/** Adds the launch for few tokens. */
function launchRows(
  to: Lowering,
  { M, K, N, x, bias, residual, xOrder, yOrder, epilogue }: LinearSpec,
  form: RowForm,
  { scales, ...weights }: Readonly<Record<string, Buffer | null>>,
  { pitch, vectors }: { pitch: number; vectors: number },
  node: Node,
): void {
  const code = rowShader({ form, tokens: N, xOrder, yOrder, epilogue, scaled: scales != null });
  const bindings: Record<string, Buffer> = {
    ...(weights as Record<string, Buffer>),
    x: to.buffer(node.inputs[x]!),
    y: to.buffer(node.outputs[0]!),
    ...(scales ? { scales } : {}),
    ...(bias === null ? {} : { bias: to.buffer(node.inputs[bias]!) }),
    ...(residual === null ? {} : { residual: to.buffer(node.inputs[residual]!) }),
  };
  to.launch(code, bindings, { M, K, N, pitch, vectors }, groups(Math.ceil(M / ROWS)));
}
