import { type GlobalPoolSpec, globalPoolCost, globalPoolSpec } from "../../../specs/pool/global.js";
import type { Kernel } from "../../kernel.js";
import { type FloatName, groups, input, output, shader, wgsl } from "../../wgsl/index.js";
import { asFloat32, floatOf } from "../floats.js";
import { MAXIMUM, START } from "./pool.js";

const WORKGROUP = 64;

/** GlobalAveragePool and GlobalMaxPool of floats: the mean or the largest element of each plane, a workgroup to a plane. */
export const globalPool: Kernel<GlobalPoolSpec, null> = {
  name: "global-pool",
  match: (node, at) => globalPoolSpec(node, asFloat32(at)),
  schedules: () => [null],
  lower({ reduction, planes, size }, _schedule, node, to) {
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    to.launch(
      globalCode(floatOf(node.inputs[0]!, to), reduction === "max"),
      bindings,
      { planes, size },
      groups(planes),
    );
  },
  cost: globalPoolCost,
};

const globalCode = (dtype: FloatName, max: boolean) =>
  shader({
    key: `pool/global/${dtype}/${max ? "max" : "average"}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(dtype), y: output(dtype) },
    uniforms: { planes: "u32", size: "u32" },
    shared: { parts: { type: "f32", length: WORKGROUP } },
    declarations: () => (max ? MAXIMUM : []),
    body: (s) => wgsl`
      let plane = ${s.groupIndex};
      if (plane >= ${s.planes}) { return; }
      ${max ? START : "var result = 0.0f;"}
      for (var i = ${s.lane}; i < ${s.size}; i += ${WORKGROUP}u) {
        let value = ${s.x.load(wgsl`plane * ${s.size} + i`)};
        result = ${max ? "maximum(result, value)" : "result + value"};
      }
      ${s.parts.at(s.lane)} = result;
      for (var half = ${WORKGROUP / 2}u; half > 0u; half >>= 1u) {
        workgroupBarrier();
        if (${s.lane} < half) {
          let value = ${s.parts.at(wgsl`${s.lane} + half`)};
          result = ${max ? "maximum(result, value)" : "result + value"};
          ${s.parts.at(s.lane)} = result;
        }
      }
      if (${s.lane} == 0u) { ${s.y.store("plane", max ? "result" : wgsl`result / f32(${s.size})`)} }
    `,
  });
