import type { Node } from "../../../graph/index.js";
import { normalizeAxis, sizeOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, constantInts, type NodeContext } from "../node.js";

/** How elements become one: added, added by their magnitudes or squares, multiplied, the largest, the smallest. */
export type FoldName = "sum" | "abs" | "square" | "product" | "max" | "min";
/** What is done to the folded value: nothing, times an argument, square root, logarithm. */
export type Finish = "none" | "scale" | "sqrt" | "log";

export interface Reducer {
  readonly fold: FoldName;
  /** How partial results are folded: where several groups of axes are reduced one after the other. */
  readonly again: FoldName;
  readonly finish: Finish;
}

export const REDUCERS: Readonly<Record<string, Reducer>> = {
  ReduceSum: { fold: "sum", again: "sum", finish: "none" },
  ReduceMean: { fold: "sum", again: "sum", finish: "scale" },
  ReduceMax: { fold: "max", again: "max", finish: "none" },
  ReduceMin: { fold: "min", again: "min", finish: "none" },
  ReduceProd: { fold: "product", again: "product", finish: "none" },
  ReduceL1: { fold: "abs", again: "sum", finish: "none" },
  ReduceL2: { fold: "square", again: "sum", finish: "sqrt" },
  ReduceSumSquare: { fold: "square", again: "sum", finish: "none" },
  ReduceLogSum: { fold: "sum", again: "sum", finish: "log" },
};

/** One group of neighbouring axes that is reduced: [outer, dim, inner] becomes [outer, inner]. */
export interface Stage {
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
}

export interface ReduceSpec {
  readonly op: string;
  readonly stages: readonly Stage[];
  /** Elements that each result is made of. */
  readonly count: number;
}

interface ReduceAttributes {
  readonly axes: readonly number[] | null;
  readonly axesAreInput: boolean;
  readonly noopWithEmptyAxes: boolean;
}

/** The stages that reduce `axes` of `shape`, the innermost group of neighbouring axes first. */
export function stagesOf(shape: readonly number[], axes: ReadonlySet<number>): Stage[] {
  const stages: Stage[] = [];
  const left = [...shape];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (!axes.has(axis)) continue;
    let first = axis;
    while (first > 0 && axes.has(first - 1)) first--;
    const dim = sizeOf(left.slice(first, axis + 1));
    stages.push({ outer: sizeOf(left.slice(0, first)), dim, inner: sizeOf(left.slice(axis + 1)) });
    left.fill(1, first, axis + 1);
    axis = first;
  }
  return stages;
}

/** The axes that a reduction node reduces; null where they are not known. */
function reducedAxes(node: Node, rank: number, at: NodeContext): Set<number> | null {
  const { axes, axesAreInput, noopWithEmptyAxes } = attributesOfNode<ReduceAttributes>(node);
  const given = axesAreInput && node.inputs[1] != null ? constantInts(node, 1, at) : axes;
  if (given === undefined) return null;
  if (given !== null && given.length > 0) return new Set(given.map((axis) => normalizeAxis(axis, rank)));
  return noopWithEmptyAxes ? null : new Set(Array.from({ length: rank }, (_, axis) => axis));
}

/** ONNX's reductions of float32 over any axes, but ReduceLogSumExp; null for all else. */
export function reduceSpec(node: Node, at: NodeContext): ReduceSpec | null {
  if (node.domain !== "" || REDUCERS[node.op] === undefined) return null;
  const { dtype, shape } = at.type(node.inputs[0]!);
  if (dtype !== "float32" || shape.includes(0)) return null;
  const axes = reducedAxes(node, shape.length, at);
  if (axes === null || axes.size === 0) return null;
  const count = [...axes].reduce((product, axis) => product * shape[axis]!, 1);
  return { op: node.op, stages: stagesOf(shape, axes), count };
}

export function reduceCost({ stages }: ReduceSpec): Cost {
  const elements = stages.reduce((sum, { outer, dim, inner }) => sum + outer * dim * inner, 0);
  return { multiplyAdds: elements, bytes: 4 * elements };
}
