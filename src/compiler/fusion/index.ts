import type { Node } from "../../graph/index.js";
import { simplify } from "../simplify/index.js";
import type { Specialized } from "../specialize.js";
import { fuseConv } from "./conv.js";
import { fuseDynamicQuantized } from "./dynamic-quantized.js";
import { fuseElementwise } from "./elementwise.js";
import { fuseLinear } from "./linear.js";

/** Simplifications and fusions that need concrete shapes, for a device whose generated loops can do the `fusible` elementwise nodes. */
export const fuse = (spec: Specialized, fusible: (node: Node) => boolean): Specialized =>
  fuseElementwise(fuseConv(fuseLinear(fuseDynamicQuantized(simplify(spec)))), fusible);
