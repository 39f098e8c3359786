import type { Node } from "../../../graph/index.js";
import { SparseTensor } from "../../../layouts/index.js";
import { Attributes, operators } from "../../../ops/index.js";
import { type DataType, sizeOf } from "../../../tensor/index.js";
import { operationsOf } from "../elementwise/weights.js";
import type { Cost, NodeContext } from "../node.js";
import { type Epilogue, NO_EPILOGUE, type Order } from "./epilogue.js";
import { sharedRows } from "./shared-rows.js";

/** Y = W · X for a node with one constant matrix: which of its inputs are what. */
export interface LinearSpec {
  /** Inputs of the node. */
  readonly weight: number;
  readonly x: number;
  readonly bias: number | null;
  readonly residual: number | null;
  /** Axes of the weight as [outputs, inputs]. */
  readonly perm: readonly [number, number];
  /** Outputs, inputs, and tokens of each of `batch` matrices. */
  readonly M: number;
  readonly K: number;
  readonly N: number;
  readonly batch: number;
  readonly xOrder: Order;
  readonly yOrder: Order;
  readonly epilogue: Epilogue;
  /** A sparse weight's layout and values, "dense" otherwise. */
  readonly layout: string;
  /** Stored weights that are multiplied, for each token. */
  readonly kept: number;
  /** Bytes of the weight as it is stored. */
  readonly weightBytes: number;
}

const OPERATORS: Readonly<Record<string, (node: Node, at: NodeContext) => Partial<LinearSpec> | null>> = {
  MatMul: (node, at) => matmul(node, at, { transA: false, transB: false }),
  "com.microsoft::FusedMatMul": fusedMatMul,
  Gemm: gemm,
  "ai.nonzero::Linear": linear,
};

/** What a MatMul, Gemm, FusedMatMul or Linear with a constant weight multiplies; null for all other nodes. */
export function linearSpec(node: Node, at: NodeContext): LinearSpec | null {
  const found = OPERATORS[node.domain === "" ? node.op : `${node.domain}::${node.op}`]?.(node, at);
  if (!found) return null;
  const { weight, perm, M, K, N } = found as Pick<LinearSpec, "weight" | "perm" | "M" | "K" | "N">;
  const used = [...node.inputs, ...node.outputs];
  if (used.some((value) => value !== null && at.type(value).dtype !== "float32")) return null;
  if (M === 0 || K === 0 || N === 0) return null;
  const constant = at.constant(node.inputs[weight]!);
  if (constant === undefined) return null;
  const sparse = constant instanceof SparseTensor;
  if (sparse && `${constant.perm}` !== `${perm}`) return null;
  const spec = { bias: null, residual: null, batch: 1, epilogue: NO_EPILOGUE, ...found } as LinearSpec;
  if (!sparse) return { ...spec, layout: "dense", kept: M * K, weightBytes: constant.byteLength };
  const { layout, parts } = constant.stored;
  return {
    ...spec,
    layout: `${layout}/${parts.values!.dtype}`,
    kept: parts.values!.size,
    weightBytes: constant.byteLength,
  };
}

interface Transposed {
  readonly transA: boolean;
  readonly transB: boolean;
}

/** A · B where one of them is a constant matrix. */
function matmul(node: Node, at: NodeContext, { transA, transB }: Transposed): Partial<LinearSpec> | null {
  const [a, b] = node.inputs as [NonNullable<Node["inputs"][0]>, NonNullable<Node["inputs"][0]>];
  const [aShape, bShape] = [at.type(a).shape, at.type(b).shape];
  if (at.constant(b) !== undefined && bShape.length === 2) {
    if (transA && aShape.length !== 2) return null;
    const [K, M] = (transB ? [bShape[1], bShape[0]] : bShape) as [number, number];
    return {
      ...{ weight: 1, x: 0, M, K, N: K === 0 ? 0 : sizeOf(aShape) / K },
      perm: transB ? [0, 1] : [1, 0],
      xOrder: transA ? "feature-major" : "token-major",
      yOrder: "token-major",
    };
  }
  if (at.constant(a) === undefined || aShape.length !== 2) return null;
  const [M, K] = (transA ? [aShape[1], aShape[0]] : aShape) as [number, number];
  const side: Partial<LinearSpec> = { weight: 0, x: 1, M, K, perm: transA ? [1, 0] : [0, 1] };
  if (bShape.length === 1) return { ...side, N: 1, xOrder: "token-major", yOrder: "token-major" };
  const batch = sizeOf(bShape.slice(0, -2));
  if (batch < 1 || batch > MAX_BATCH) return null;
  const N = bShape[bShape.length - (transB ? 2 : 1)]!;
  return { ...side, N, batch, xOrder: transB ? "token-major" : "feature-major", yOrder: "feature-major" };
}

/** Each matrix of a batch is a launch of its own. */
const MAX_BATCH = 16;

function fusedMatMul(node: Node, at: NodeContext): Partial<LinearSpec> | null {
  const attributes = new Attributes(node);
  if (attributes.flag("transBatchA") || attributes.flag("transBatchB")) return null;
  const spec = matmul(node, at, { transA: attributes.flag("transA"), transB: attributes.flag("transB") });
  return spec && { ...spec, epilogue: { ...NO_EPILOGUE, alpha: attributes.float("alpha", 1) } };
}

function gemm(node: Node, at: NodeContext): Partial<LinearSpec> | null {
  const attributes = new Attributes(node);
  const spec = matmul(node, at, { transA: attributes.flag("transA"), transB: attributes.flag("transB") });
  if (spec === null) return null;
  const [alpha, beta] = [attributes.float("alpha", 1), attributes.float("beta", 1)];
  const c = node.inputs[2];
  if (!c) return { ...spec, epilogue: { ...NO_EPILOGUE, alpha } };
  const shape = at.type(c).shape;
  const y = at.type(node.outputs[0]!).shape;
  // Along y's features: [N] or [1, N] where the weight is on the right, [M, 1] where it is on the left.
  const along = spec.weight === 1 ? [1, y[1]] : [y[0], 1];
  const padded = [...new Array<number>(2 - shape.length).fill(1), ...shape];
  if (`${padded}` === `${along}`) return { ...spec, bias: 2, epilogue: { ...NO_EPILOGUE, alpha, beta, bias: true } };
  if (`${padded}` !== `${y}` || beta !== 1) return null;
  return { ...spec, residual: 2, epilogue: { ...NO_EPILOGUE, alpha, residual: "before" } };
}

function linear(node: Node, at: NodeContext): Partial<LinearSpec> | null {
  const operator = operators.get("ai.nonzero::Linear")!;
  const { transB, activation, residual } = operator.attributes(new Attributes(node)) as {
    transB: boolean;
    activation: { name: string; params: readonly number[] };
    residual: "before" | "after";
  };
  const spec = matmul(node, at, { transA: false, transB });
  if (spec?.weight !== 1) return null;
  const [, , bias, added] = node.inputs;
  if (added && `${at.type(added).shape}` !== `${at.type(node.outputs[0]!).shape}`) return null;
  if (bias && sizeOf(at.type(bias).shape) !== spec.M) return null;
  return {
    ...spec,
    bias: bias ? 2 : null,
    residual: added ? 3 : null,
    epilogue: {
      bias: !!bias,
      activation: activation.name,
      params: activation.params,
      residual: added ? residual : "",
    },
  };
}

export function linearCost({ M, K, N, batch, kept, weightBytes, layout, epilogue }: LinearSpec): Cost {
  const [name, dtype = "float32"] = layout.split("/") as [string, DataType?];
  const tokens = N * batch;
  const added = epilogue.residual === "" ? 0 : tokens * M;
  return {
    multiplyAdds: kept * tokens,
    bytes: weightBytes + 4 * (tokens * (M + K) + added + (epilogue.bias ? M : 0)),
    product: {
      rows: M,
      depth: K,
      tokens,
      kept,
      bytes: weightBytes,
      share: sharedRows(name, M),
      dtype,
      window: false,
      activation: operationsOf(epilogue.activation),
    },
  };
}
