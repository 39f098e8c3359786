import type { Buffer, ConcreteType, DeviceInfo, Lowering, ShaderCode } from "../../src/backends/webgpu/kernel.js";
import { linear } from "../../src/backends/webgpu/kernels/matmul/linear.js";
import { type Constant, GraphBuilder } from "../../src/graph/index.js";
import { parseLayout, SparseTensor, type ValueDataType } from "../../src/layouts/index.js";
import { parsePattern } from "../../src/sparsity/index.js";
import { Tensor } from "../../src/tensor/index.js";

/** A GPU with what WebGPU guarantees. */
export const PLAIN_GPU: DeviceInfo = {
  f16: false,
  subgroups: null,
  timestamps: false,
  limits: {
    maxBufferSize: 2 ** 28,
    maxStorageBufferBindingSize: 2 ** 27,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 16384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupsPerDimension: 65535,
    maxImmediateSize: 0,
  },
};

export interface Captured {
  readonly code: ShaderCode;
  readonly bindings: Readonly<Record<string, Buffer>>;
}

/** The launches of W·x ("feature-major", x [K, N]) or x·Wᵀ ("token-major", x [N, K]), without a device. */
export function capture(w: Constant, [M, K, N]: readonly [number, number, number], featureMajor: boolean): Captured[] {
  const builder = new GraphBuilder();
  const x = builder.input("x", "float32", featureMajor ? [K, N] : [N, K]);
  const weight = builder.constant(w);
  const y = featureMajor
    ? builder.add("MatMul", [weight, x])
    : builder.add("Linear", [x, weight, null, null], { transB: 1 }, { domain: "ai.nonzero" });
  builder.output(y);
  const [node] = builder.build().nodes;
  const shapes = new Map([
    [x, featureMajor ? [K, N] : [N, K]],
    [weight, [M, K]],
    [y, featureMajor ? [M, N] : [N, M]],
  ]);
  const typeOf = (value: typeof x): ConcreteType => ({ dtype: "float32", shape: shapes.get(value)! });
  const launches: Captured[] = [];
  const bufferOf = (value: typeof x): Buffer => ({ bytes: 4 * typeOf(value).shape.reduce((a, b) => a * b, 1) });
  const to: Lowering = {
    device: PLAIN_GPU,
    type: typeOf,
    constant: (value) => (value === weight ? w : undefined),
    buffer: bufferOf,
    scratch: (bytes) => ({ bytes }),
    prepared: (_, __, bytes, fill) => {
      fill(new Uint8Array(bytes));
      return { bytes };
    },
    derived: (_, __, make) => make(),
    launch: (code, bindings) => void launches.push({ code, bindings: bindings as Captured["bindings"] }),
    alias: () => {},
  };
  const spec = linear.match(node!, to);
  if (spec === null) throw new Error("the kernel does not take the node");
  linear.lower(spec, null, node!, to);
  return launches;
}

/** A weight [M, K] of numbers that depend on nothing but its shape. */
export function denseWeight(M: number, K: number): Tensor {
  let state = 12345;
  const data = Float32Array.from({ length: M * K }, () => {
    state = Math.imul(state, 1664525) + 1013904223;
    return state / 2 ** 31;
  });
  return new Tensor("float32", [M, K], data);
}

export function sparseWeight(
  M: number,
  K: number,
  pattern: string,
  layout: string,
  values: ValueDataType,
): SparseTensor {
  const matrix = { rows: M, cols: K, data: denseWeight(M, K).numbers() as Float32Array };
  const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(Math.abs) });
  return new SparseTensor([M, K], [0, 1], parseLayout(layout).encode(matrix, mask, { values }));
}
