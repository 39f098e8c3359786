import { NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";

export interface MaxRoiPoolAttributes {
  readonly height: number;
  readonly width: number;
  readonly spatialScale: number;
}

/** To the nearest integer, halves away from zero. */
const round = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

/**
 * ONNX MaxRoiPool (Fast R-CNN, https://arxiv.org/abs/1504.08083): regions (image, x1, y1, x2, y2) in rois [R, 5] of
 * X [N, C, H, W], each cut into pooled_shape bins of whole pixels, to their maxima [R, C, height, width]; 0 for an empty bin.
 */
export const maxRoiPool: Operator<MaxRoiPoolAttributes> = {
  name: "MaxRoiPool",
  domain: "",
  attributes: (node) => {
    const shape = node.ints("pooled_shape");
    if (shape.length !== 2 || shape.some((v) => v < 1)) node.fail("pooled_shape", `[${shape}] is no height and width`);
    return { height: shape[0]!, width: shape[1]!, spatialScale: node.float("spatial_scale", 1) };
  },
  infer: (inputs, a) => {
    const [x, rois] = [need(inputs, 0).type, need(inputs, 1).type];
    const known = x.shape !== null && rois.shape !== null;
    return [{ dtype: x.dtype, shape: known ? [rois.shape[0]!, x.shape[1]!, a.height, a.width] : null }];
  },
  evaluate: (inputs, a) => {
    const [x, rois] = [need(inputs, 0), need(inputs, 1)];
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const regions = rois.shape[0]!;
    if (x.shape.length !== 4 || rois.shape[1] !== 5)
      throw new NonzeroError("shape", `X [${x.shape}] and rois [${rois.shape}]`);
    const values = x.numbers();
    const numbers = rois.numbers();
    const result = numbersFor(x.dtype, regions * channels * a.height * a.width);
    const clamp = (v: number, high: number) => Math.min(Math.max(v, 0), high);
    let to = 0;
    for (let r = 0; r < regions; r++) {
      const image = numbers[r * 5]!;
      if (!(image >= 0 && image < batch))
        throw new NonzeroError("shape", `region ${r} is of image ${image} of ${batch}`);
      const [x1, y1, x2, y2] = [1, 2, 3, 4].map((i) => round(numbers[r * 5 + i]! * a.spatialScale)) as [
        number,
        number,
        number,
        number,
      ];
      const binHeight = Math.max(y2 - y1 + 1, 1) / a.height;
      const binWidth = Math.max(x2 - x1 + 1, 1) / a.width;
      for (let c = 0; c < channels; c++) {
        const plane = (image * channels + c) * height * width;
        for (let i = 0; i < a.height; i++) {
          const top = clamp(Math.floor(i * binHeight) + y1, height);
          const bottom = clamp(Math.ceil((i + 1) * binHeight) + y1, height);
          for (let j = 0; j < a.width; j++) {
            const left = clamp(Math.floor(j * binWidth) + x1, width);
            const right = clamp(Math.ceil((j + 1) * binWidth) + x1, width);
            let best = bottom <= top || right <= left ? 0 : Number.NEGATIVE_INFINITY;
            for (let y = top; y < bottom; y++)
              for (let at = plane + y * width + left; at < plane + y * width + right; at++)
                best = Math.max(best, values[at]!);
            result[to++] = best;
          }
        }
      }
    }
    return [Tensor.from(x.dtype, [regions, channels, a.height, a.width], result)];
  },
};
