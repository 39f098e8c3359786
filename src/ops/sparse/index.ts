import type { Operator } from "../operator.js";
import { sparsify24 } from "./sparsify24.js";
import { sparsify24Like } from "./sparsify24-like.js";
import { toDense } from "./to-dense.js";

export { readToDense, toDenseName, toSparseTensor } from "./to-dense.js";

/** Operators of the ai.nonzero domain that turn stored sparse tensors into what the graph sees, and what the graph sees into stored sparse parts. */
export const sparseOperators: readonly Operator[] = [toDense, sparsify24, sparsify24Like];
