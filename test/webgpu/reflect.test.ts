import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import type { DeviceBuffer } from "../../src/backends/webgpu/device-buffer.js";
import type { Gpu } from "../../src/backends/webgpu/gpu.js";
import { type DeviceInfo, Session, type ShaderCode } from "../../src/backends/webgpu/index.js";
import { isFusible } from "../../src/backends/webgpu/kernels/elementwise/fusible.js";
import { lowerSteps } from "../../src/backends/webgpu/lower.js";
import type { Holding } from "../../src/backends/webgpu/session.js";
import { fuse, type InputSpec, optimize, specialize } from "../../src/compiler/index.js";
import { type Graph, GraphBuilder } from "../../src/graph/index.js";
import { randomTensor } from "../support/check-kernel.js";
import { NODE_TESTS, nodeTestNames, readNodeTest } from "../support/node-tests.js";

/** WebGPU's least device, and one with everything. */
const LEAST: DeviceInfo = {
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
const MOST: DeviceInfo = {
  f16: true,
  subgroups: { min: 32, max: 32 },
  timestamps: true,
  limits: { ...LEAST.limits, maxStorageBuffersPerShaderStage: 16, maxComputeWorkgroupStorageSize: 65536 },
};

/** The shaders that a graph with these inputs would launch, without a GPU to launch them on. */
function shadersOf(graph: Graph, specs: readonly InputSpec[], info: DeviceInfo): ShaderCode[] {
  const concrete = specialize(optimize(graph), specs);
  const spec = fuse(concrete, (node) => isFusible(node, (value) => concrete.types.get(value)?.dtype));
  const session = new Session({ info } as Gpu);
  const held = (bytes: number, fill?: (target: Uint8Array) => void): DeviceBuffer => {
    fill?.(new Uint8Array(bytes));
    return { bytes, gpu: null };
  };
  const memory = {
    upload: (tensor) => held(tensor.byteLength),
    prepare: (_constant, _key, bytes, fill) => held(bytes, fill),
  } as Holding;
  const { actions } = lowerSteps(spec, session, memory);
  return actions.flatMap((action) => ("launch" in action ? [action.launch.code] : []));
}

/** Checks a shader's text against what its launches bind. */
function checkShader(code: ShaderCode, info: DeviceInfo): void {
  const reflected = new WgslReflect(code.build(info));
  expect(reflected.entry.compute.map(({ name }) => name)).toEqual(["main"]);
  const [x, y, z] = reflected.entry.compute[0]!.attributes!.find(({ name }) => name === "workgroup_size")!
    .value as string[];
  const invocations = Number(x) * Number(y ?? 1) * Number(z ?? 1);
  expect(invocations).toBeLessThanOrEqual(info.limits.maxComputeInvocationsPerWorkgroup);
  const storage = reflected.storage.map(({ name, group, binding, access }) => ({ name, group, binding, access }));
  expect(storage).toEqual(code.bindings.map(({ name, access }, binding) => ({ name, group: 0, binding, access })));
  if (code.uniforms.length === 0) expect(reflected.uniforms).toEqual([]);
  else {
    const [uniforms] = reflected.uniforms;
    expect([uniforms!.group, uniforms!.binding]).toEqual([0, code.bindings.length]);
    const members = uniforms!.members!.map(({ name, type, offset }) => ({ name, type: type.name, offset }));
    expect(members).toEqual(code.uniforms.map(({ name, type }, i) => ({ name, type, offset: 4 * i })));
  }
}

const checkAll = (codes: readonly ShaderCode[], info: DeviceInfo): number => {
  const byKey = new Map(codes.map((code) => [code.key, code]));
  for (const code of byKey.values()) {
    try {
      checkShader(code, info);
    } catch (error) {
      throw new Error(`${code.key}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
  return byKey.size;
};

describe("shaders say what their launches bind", () => {
  it("in a small network", () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [4, 32]);
    const [scale, bias] = [builder.constant(randomTensor([32], 1)), builder.constant(randomTensor([32], 2))];
    const normal = builder.add("LayerNormalization", [x, scale, bias]);
    const turned = builder.add("Transpose", [builder.add("Softmax", [builder.add("Tanh", [normal])])]);
    builder.output(builder.add("ReduceMean", [turned]));
    const specs: InputSpec[] = [{ type: { dtype: "float32", shape: [4, 32] } }];
    for (const info of [LEAST, MOST])
      expect(checkAll(shadersOf(builder.build(), specs, info), info)).toBeGreaterThan(3);
  });

  it.skipIf(!existsSync(NODE_TESTS))("in ONNX's backend tests (../shared/data/onnx-node-tests)", () => {
    const codes: ShaderCode[] = [];
    for (const name of nodeTestNames()) {
      const { graph } = readNodeTest(name);
      const types = graph.inputs.map(({ type }) => type);
      if (!types.every((type) => type?.shape?.every((dim) => typeof dim === "number"))) continue;
      const specs = types.map((type) => ({ type: type as InputSpec["type"] }));
      codes.push(...shadersOf(graph, specs, LEAST));
    }
    expect(checkAll(codes, LEAST)).toBeGreaterThan(100);
  });
});
