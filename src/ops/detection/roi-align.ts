import { NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";

export interface RoiAlignAttributes {
  readonly mode: "avg" | "max";
  /** Coordinates are shifted by half a pixel (opset 16's default; not in opset 10). */
  readonly halfPixel: boolean;
  readonly height: number;
  readonly width: number;
  /** Samples of each bin along each axis; 0 for as many as the bin has pixels. */
  readonly samplingRatio: number;
  readonly spatialScale: number;
}

/** The two pixels around coordinate `t` of an axis and the weight of the second; null where `t` is outside. */
function around(t: number, size: number): readonly [number, number, number] | null {
  if (t < -1 || t > size) return null;
  const inside = Math.max(t, 0);
  const low = Math.floor(inside);
  return low >= size - 1 ? [size - 1, size - 1, 0] : [low, low + 1, inside - low];
}

/**
 * ONNX RoiAlign: each region (x1, y1, x2, y2 in rois [R, 4], of image batch_indices[r]) of X [N, C, H, W] as
 * [R, C, output_height, output_width]: bins are sampled bilinearly on a grid and averaged, or with mode max the largest of the
 * weighted neighbours is taken (as onnxruntime and ONNX's reference do) (https://arxiv.org/abs/1703.06870).
 */
export const roiAlign: Operator<RoiAlignAttributes> = {
  name: "RoiAlign",
  domain: "",
  attributes: (node) => ({
    mode: node.oneOf("mode", ["avg", "max"], "avg"),
    halfPixel:
      node.version >= 16 &&
      node.oneOf("coordinate_transformation_mode", ["half_pixel", "output_half_pixel"], "half_pixel") === "half_pixel",
    height: node.int("output_height", 1),
    width: node.int("output_width", 1),
    samplingRatio: node.int("sampling_ratio", 0),
    spatialScale: node.float("spatial_scale", 1),
  }),
  infer: (inputs, a) => {
    const [x, rois, indices] = [need(inputs, 0).type, need(inputs, 1).type, need(inputs, 2).type];
    const regions = rois.shape?.[0] ?? indices.shape?.[0];
    const shape = x.shape === null || regions === undefined ? null : [regions, x.shape[1]!, a.height, a.width];
    return [{ dtype: x.dtype, shape }];
  },
  evaluate: (inputs, a) => {
    const [x, rois, indices] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const regions = rois.shape[0]!;
    if (x.shape.length !== 4 || rois.shape[1] !== 4 || indices.size !== regions)
      throw new NonzeroError("shape", `X [${x.shape}], rois [${rois.shape}], batch_indices [${indices.shape}]`);
    const values = x.numbers();
    const corners = rois.numbers();
    const images = indices.numbers();
    const bins = a.height * a.width;
    const result = numbersFor(x.dtype, regions * channels * bins);
    const totals = new Float64Array(channels);
    const shift = a.halfPixel ? 0.5 : 0;
    for (let r = 0; r < regions; r++) {
      const image = images[r]!;
      if (!(image >= 0 && image < batch))
        throw new NonzeroError("shape", `region ${r} is of image ${image} of ${batch}`);
      const [x1, y1, x2, y2] = [0, 1, 2, 3].map((i) => corners[r * 4 + i]! * a.spatialScale - shift) as [
        number,
        number,
        number,
        number,
      ];
      const least = a.halfPixel ? Number.NEGATIVE_INFINITY : 1;
      const binHeight = Math.max(y2 - y1, least) / a.height;
      const binWidth = Math.max(x2 - x1, least) / a.width;
      const rows = a.samplingRatio > 0 ? a.samplingRatio : Math.ceil(binHeight);
      const columns = a.samplingRatio > 0 ? a.samplingRatio : Math.ceil(binWidth);
      for (let bin = 0; bin < bins; bin++) {
        const top = y1 + Math.floor(bin / a.width) * binHeight;
        const left = x1 + (bin % a.width) * binWidth;
        totals.fill(a.mode === "avg" ? 0 : Number.NEGATIVE_INFINITY);
        for (let i = 0; i < rows; i++) {
          const vertical = around(top + ((i + 0.5) * binHeight) / rows, height);
          for (let j = 0; j < columns; j++) {
            const horizontal = around(left + ((j + 0.5) * binWidth) / columns, width);
            const [y0, yn, ly] = vertical ?? [0, 0, 0];
            const [x0, xn, lx] = horizontal ?? [0, 0, 0];
            const inside = vertical !== null && horizontal !== null ? 1 : 0;
            for (let c = 0; c < channels; c++) {
              const plane = (image * channels + c) * height * width;
              const a00 = inside * (1 - ly) * (1 - lx) * values[plane + y0 * width + x0]!;
              const a01 = inside * (1 - ly) * lx * values[plane + y0 * width + xn]!;
              const a10 = inside * ly * (1 - lx) * values[plane + yn * width + x0]!;
              const a11 = inside * ly * lx * values[plane + yn * width + xn]!;
              if (a.mode === "avg") totals[c]! += a00 + a01 + a10 + a11;
              else totals[c] = Math.max(totals[c]!, a00, a01, a10, a11);
            }
          }
        }
        const divisor = a.mode === "avg" ? Math.max(rows * columns, 1) : 1;
        for (let c = 0; c < channels; c++) {
          const empty = rows <= 0 || columns <= 0;
          result[(r * channels + c) * bins + bin] = empty ? 0 : totals[c]! / divisor;
        }
      }
    }
    return [Tensor.from(x.dtype, [regions, channels, a.height, a.width], result)];
  },
};
