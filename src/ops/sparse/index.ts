import type { Operator } from "../operator.js";
import { toDense } from "./to-dense.js";

export { readToDense, toDenseName, toSparseTensor } from "./to-dense.js";

/** Operators of the ai.nonzero domain that turn stored sparse tensors into what the graph sees. */
export const sparseOperators: readonly Operator[] = [toDense];
