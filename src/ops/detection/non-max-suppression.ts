import { NonzeroError, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { unknownDim } from "../nn/dims.js";
import type { Operator } from "../operator.js";

/** Corners [y1, x1, y2, x2] (or [x, y, width, height] around a center) of box `at` as [low y, low x, high y, high x]. */
function corners(boxes: ArrayLike<number>, at: number, centered: boolean, out: Float64Array): void {
  const [a, b, c, d] = [boxes[at]!, boxes[at + 1]!, boxes[at + 2]!, boxes[at + 3]!];
  if (centered) {
    out.set([b - d / 2, a - c / 2, b + d / 2, a + c / 2]);
  } else out.set([Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)]);
}

/** Intersection over union of boxes i and j of `box` (four corners each); 0 where either has no area. */
function overlap(box: Float64Array, i: number, j: number): number {
  const area = (k: number) => (box[k + 2]! - box[k]!) * (box[k + 3]! - box[k + 1]!);
  const height = Math.min(box[i + 2]!, box[j + 2]!) - Math.max(box[i]!, box[j]!);
  const width = Math.min(box[i + 3]!, box[j + 3]!) - Math.max(box[i + 1]!, box[j + 1]!);
  const [first, second] = [area(i), area(j)];
  if (height <= 0 || width <= 0 || first <= 0 || second <= 0) return 0;
  const shared = height * width;
  return shared / (first + second - shared);
}

/**
 * ONNX NonMaxSuppression: for each batch entry and class the boxes by falling score (ties: lower index first), without those
 * that overlap a selected one by more than iou_threshold. Boxes [batch, boxes, 4], scores [batch, classes, boxes]; the
 * result, int64 [selected, 3], holds (batch, class, box). Only scores above score_threshold count, where it is given.
 */
export const nonMaxSuppression: Operator<{ readonly centered: boolean }> = {
  name: "NonMaxSuppression",
  domain: "",
  attributes: (node) => ({ centered: node.flag("center_point_box") }),
  infer: () => [{ dtype: "int64", shape: [unknownDim("selected"), 3] }],
  evaluate: (inputs, { centered }) => {
    const [boxes, scores] = [need(inputs, 0), need(inputs, 1)];
    const [batch, count, four] = boxes.shape as [number, number, number];
    const classes = scores.shape[1]!;
    if (
      boxes.shape.length !== 3 ||
      four !== 4 ||
      scores.shape.length !== 3 ||
      scores.shape[0] !== batch ||
      scores.shape[2] !== count
    )
      throw new NonzeroError("shape", `boxes [${boxes.shape}] and scores [${scores.shape}] do not fit together`);
    const most = inputs[2]?.numbers()[0] ?? 0;
    const iouThreshold = inputs[3]?.numbers()[0] ?? 0;
    const scoreThreshold = inputs[4]?.numbers()[0] ?? null;
    const values = scores.numbers();
    const given = boxes.numbers();
    const box = new Float64Array(count * 4);
    const selected: number[] = [];
    for (let n = 0; n < batch; n++) {
      for (let i = 0; i < count; i++) corners(given, (n * count + i) * 4, centered, box.subarray(i * 4, i * 4 + 4));
      for (let c = 0; c < classes; c++) {
        const at = (n * classes + c) * count;
        const order = Array.from({ length: count }, (_, i) => i)
          .filter((i) => scoreThreshold === null || values[at + i]! > scoreThreshold)
          .sort((i, j) => values[at + j]! - values[at + i]! || i - j);
        const kept: number[] = [];
        for (const i of order) {
          if (kept.length >= most) break;
          if (kept.some((j) => overlap(box, i * 4, j * 4) > iouThreshold)) continue;
          kept.push(i);
        }
        for (const i of kept) selected.push(n, c, i);
      }
    }
    return [Tensor.from("int64", [selected.length / 3, 3], selected)];
  },
};
