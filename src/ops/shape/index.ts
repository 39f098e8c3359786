import type { Operator } from "../operator.js";
import { centerCropPad } from "./center-crop-pad.js";
import { col2Im } from "./col2im.js";
import { compress } from "./compress.js";
import { concat } from "./concat.js";
import { constant } from "./constant.js";
import { constantOfShape } from "./constant-of-shape.js";
import { depthToSpace } from "./depth-to-space.js";
import { expand } from "./expand.js";
import { eyeLike } from "./eye-like.js";
import { flatten } from "./flatten.js";
import { gather } from "./gather.js";
import { gatherElements } from "./gather-elements.js";
import { gatherND } from "./gather-nd.js";
import { identity } from "./identity.js";
import { nonZero } from "./non-zero.js";
import { oneHot } from "./one-hot.js";
import { pad } from "./pad.js";
import { range } from "./range.js";
import { reshape } from "./reshape.js";
import { reverseSequence } from "./reverse-sequence.js";
import { scatterElements, scatterOperator } from "./scatter-elements.js";
import { scatterND } from "./scatter-nd.js";
import { shape } from "./shape.js";
import { size } from "./size.js";
import { slice } from "./slice.js";
import { spaceToDepth } from "./space-to-depth.js";
import { split } from "./split.js";
import { squeeze } from "./squeeze.js";
import { tile } from "./tile.js";
import { transpose } from "./transpose.js";
import { trilu } from "./trilu.js";
import { unique } from "./unique.js";
import { unsqueeze } from "./unsqueeze.js";

/** Operators that move, cut, join and index elements. */
export const shapeOperators: readonly Operator[] = [
  centerCropPad,
  col2Im,
  compress,
  concat,
  constant,
  constantOfShape,
  depthToSpace,
  expand,
  eyeLike,
  flatten,
  gather,
  gatherElements,
  gatherND,
  identity,
  nonZero,
  oneHot,
  pad,
  range,
  reshape,
  reverseSequence,
  scatterElements,
  scatterOperator,
  scatterND,
  shape,
  size,
  slice,
  spaceToDepth,
  split,
  squeeze,
  tile,
  transpose,
  trilu,
  unique,
  unsqueeze,
];
