import type { Node } from "../../../../graph/index.js";
import { type ConvSpec, convCost, convSpec, pixelsOf } from "../../../specs/conv/conv.js";
import type { Argument, Kernel, Lowering } from "../../kernel.js";
import { lowerPanelMultiply, panelsFor } from "../matmul/panel.js";
import { pack } from "../matmul/panels.js";
import { type Frame, frameOf } from "./frame.js";
import { unfold } from "./unfold.js";

export interface PanelConvSchedule {
  /** Bytes of X that are packed at a time, about: each thread's share should stay in its second cache. */
  readonly band: number;
}

/** Columns of a whole panel: a band's columns are a multiple, so that bands share their code. */
const COLUMNS = 48;

/**
 * Conv as a product of matrices: y [outputs, pixels] = W [outputs, kernel positions × channels] · X, dense or sparse in any layout,
 * X unfolded into panels band by band. 1×1 convolutions pack the image as it is.
 */
export const panelConv: Kernel<ConvSpec, PanelConvSchedule> = {
  name: "conv",
  match: convSpec,
  schedules: (_, device) => [{ band: device.threads << 19 }],
  lower(spec, schedule, node, to) {
    const x = to.buffer(node.inputs[0]!);
    for (let n = 0; n < spec.batch; n++) {
      const frame = frameOf(spec, x, n, to);
      for (let g = 0; g < spec.group; g++) lowerGroup(spec, schedule, node, n, g, frame, to);
    }
  },
  cost: convCost,
};

const isPointwise = ({ kernel, strides }: ConvSpec, frame: Frame): boolean =>
  kernel[0] * kernel[1] === 1 && strides[0] === 1 && !frame.copied;

/** The outputs of group `g` for image `n`, whose frame is given. */
function lowerGroup(
  spec: ConvSpec,
  schedule: PanelConvSchedule,
  node: Node,
  n: number,
  g: number,
  frame: Frame,
  to: Lowering,
): void {
  const { group, perm, epilogue, kernel, output } = spec;
  const weight = node.inputs[1]!;
  const channels = spec.channels / group;
  const outputs = spec.outputs / group;
  const pixels = pixelsOf(spec);
  const K = channels * kernel[0] * kernel[1];
  const rows = [g * outputs, (g + 1) * outputs] as const;
  const band = Math.max(1, Math.round(schedule.band / (4 * K * COLUMNS))) * COLUMNS;
  for (let first = 0; first < pixels; first += band) {
    const N = Math.min(band, pixels - first);
    const panels = panelsFor(weight, rows, K, N, to);
    const from = g * channels * frame.plane + 4 * first;
    const packed =
      isPointwise(spec, frame) && frame.row === 4 * output[1]
        ? pack(to, panels, "feature-major", within(frame.image, from), frame.plane / 4)
        : unfold(spec, frame, g * channels, first, panels, to);
    const at = 4 * ((n * spec.outputs + rows[0]) * pixels + first);
    lowerPanelMultiply(
      {
        weight,
        perm,
        rows,
        panels,
        x: packed,
        y: { buffer: to.buffer(node.outputs[0]!), offset: at },
        order: "feature-major",
        yStride: pixels,
        epilogue,
        ...(epilogue.bias ? { bias: { buffer: to.buffer(node.inputs[2]!), offset: 4 * rows[0] } } : {}),
        ...(epilogue.residual ? { residual: { buffer: to.buffer(node.inputs[3]!), offset: at } } : {}),
      },
      to,
    );
  }
}

/** The argument `bytes` further on. */
function within(argument: Argument, bytes: number): Argument {
  if (typeof argument === "number") return argument + bytes;
  if ("buffer" in argument) return { buffer: argument.buffer, offset: argument.offset + bytes };
  return { buffer: argument, offset: bytes };
}
