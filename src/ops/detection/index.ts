import type { Operator } from "../operator.js";
import { maxRoiPool } from "./max-roi-pool.js";
import { nonMaxSuppression } from "./non-max-suppression.js";
import { roiAlign } from "./roi-align.js";

/** Operators of object detection. */
export const detectionOperators: readonly Operator[] = [maxRoiPool, nonMaxSuppression, roiAlign];
