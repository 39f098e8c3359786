import { describe, expect, it } from "vitest";
import type { DeviceInfo } from "../kernel.js";
import { f32, groups, input, linear, output, shader, shared, unroll, wgsl } from "./index.js";

const device: DeviceInfo = {
  f16: true,
  subgroups: { min: 4, max: 64 },
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

describe("templates of WGSL", () => {
  it("keep the indentation of the place where a piece stands, and drop lines that nothing is left of", () => {
    const inner = wgsl`
      a();
      b();
    `;
    const text = wgsl`
      if (x) {
        ${inner}
        ${[]}
        ${unroll(2, (i) => wgsl`c(${i}u);`)}
      }
    `;
    expect(text.text).toBe("if (x) {\n  a();\n  b();\n  c(0u);\n  c(1u);\n}");
  });

  it("write floats as literals of the number that float32 has", () => {
    const literals = [3, -0, 0.1, 1e-7, 1e20].map((value) => f32(value).text);
    expect(literals).toEqual([
      "3.0f",
      "-0.0f",
      "0.10000000149011612f",
      "1.0000000116860974e-7f",
      "100000002004087730000f",
    ]);
    expect(() => f32(Number.NaN)).toThrow("no WGSL constant");
    expect(() => wgsl`${0.5}`).toThrow("write f32(0.5)");
  });
});

describe("shaders", () => {
  const code = shader({
    key: "test",
    workgroup: [8, 4],
    bindings: { x: input("vec4<f16>"), y: output("f32") },
    uniforms: { n: "u32", by: "f32" },
    shared: { tile: shared("f32", 64), odd: shared("f32", 48) },
    subgroups: true,
    declarations: () => wgsl`fn twice(v: f32) -> f32 { return 2.0f * v; }`,
    body: (s) => wgsl`
      if (${s.index} >= ${s.n}) { return; }
      ${s.tile.at(s.lane)} = twice(f32(${s.x.at(s.index)}.x)) * ${s.by};
      ${s.odd.at("3u")} = f32(${s.subgroupSize});
      workgroupBarrier();
      ${s.y.at(s.index)} = ${s.tile.at(wgsl`${s.lane} + 1u`)} + ${s.odd.at("3u")};
    `,
  });

  it("declare what they name", () => {
    expect(code.build(device)).toMatchInlineSnapshot(`
      "enable f16;
      enable subgroups;
      @group(0) @binding(0) var<storage, read> x: array<vec4<f16>>;
      @group(0) @binding(1) var<storage, read_write> y: array<f32>;
      struct Uniforms {
        n: u32,
        by: f32,
      }
      @group(0) @binding(2) var<uniform> uniforms: Uniforms;
      var<workgroup> tile: array<f32, 64>;
      var<workgroup> odd: array<f32, 48>;
      fn twice(v: f32) -> f32 { return 2.0f * v; }
      @compute @workgroup_size(8, 4, 1)
      fn main(
        @builtin(global_invocation_id) global_id: vec3<u32>,
        @builtin(local_invocation_id) local_id: vec3<u32>,
        @builtin(local_invocation_index) lane: u32,
        @builtin(workgroup_id) group_id: vec3<u32>,
        @builtin(num_workgroups) group_count: vec3<u32>,
        @builtin(subgroup_invocation_id) subgroup_lane: u32,
        @builtin(subgroup_size) subgroup_size: u32,
      ) {
        if (((group_id.y * group_count.x + group_id.x) * 32u + lane) >= uniforms.n) { return; }
        tile[(lane) & 63u] = twice(f32(x[((group_id.y * group_count.x + group_id.x) * 32u + lane)].x)) * uniforms.by;
        odd[3u] = f32(subgroup_size);
        workgroupBarrier();
        y[((group_id.y * group_count.x + group_id.x) * 32u + lane)] = tile[(lane + 1u) & 63u] + odd[3u];
      }
      "
    `);
    expect(code.bindings).toEqual([
      { name: "x", access: "read" },
      { name: "y", access: "read_write" },
    ]);
    expect(code.uniforms).toEqual([
      { name: "n", type: "u32" },
      { name: "by", type: "f32" },
    ]);
  });

  it("fail in the editor for a name that is none", () => {
    shader({
      key: "wrong",
      workgroup: [1],
      bindings: { x: input("f32") },
      // @ts-expect-error there is no binding y
      body: (s) => wgsl`${s.y}`,
    });
  });
});

describe("grids", () => {
  it("hold everything within 65535 workgroups a dimension", () => {
    expect(linear(0, 64)).toEqual([0, 1, 1]);
    expect(linear(65, 64)).toEqual([2, 1, 1]);
    for (const count of [65535, 65536, 65537, 1e6, 1e9]) {
      const [x, y = 1] = groups(count);
      expect(x * y).toBeGreaterThanOrEqual(count);
      expect(Math.max(x, y)).toBeLessThanOrEqual(65535);
      expect(x * y - count).toBeLessThan(y);
    }
  });
});
