import { type GroupSpec, groupNormalizationCost, groupNormalizationSpec } from "../../../specs/normalize/groups.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { type FloatName, groups as grid, input, output, shader, wgsl } from "../../wgsl/index.js";
import { asFloat32, floatOf } from "../floats.js";
import { foldTogether, type RowSchedule, rowSchedules, rowShared, scheduleKey } from "../rows.js";

/** ONNX GroupNormalization and InstanceNormalization of floats: a workgroup for each group of channels. */
const groupNormalization: Kernel<GroupSpec, RowSchedule> = {
  name: "normalize groups",
  match: (node, at) => groupNormalizationSpec(node, asFloat32(at)),
  schedules: (_, device) => rowSchedules(device),
  lower({ batch, channels, plane, groups, epsilon, perGroup }, schedule, node, to) {
    const [x, scale, bias] = node.inputs.map((value) => to.buffer(value!));
    const rows = batch * groups;
    const size = (channels / groups) * plane;
    // Elements that share a weight: those of a channel, or of the whole group.
    const uniforms = { rows, size, groups, each: perGroup ? size : plane, epsilon };
    to.launch(
      groupsCode(
        node.inputs.map((value) => floatOf(value!, to)),
        schedule,
      ),
      { x: x!, scale: scale!, bias: bias!, y: to.buffer(node.outputs[0]!) },
      uniforms,
      grid(rows),
    );
  },
  cost: groupNormalizationCost,
};

const UNIFORMS = { rows: "u32", size: "u32", groups: "u32", each: "u32", epsilon: "f32" } as const;

const groupsCode = (
  [x, scale, bias]: readonly FloatName[],
  schedule: RowSchedule,
): ShaderCode<"x" | "scale" | "bias" | "y", keyof typeof UNIFORMS> =>
  shader({
    key: `normalize/groups/${[x, scale, bias]}/${scheduleKey(schedule)}`,
    workgroup: [schedule.lanes],
    bindings: { x: input(x!), scale: input(scale!), bias: input(bias!), y: output(x!) },
    uniforms: UNIFORMS,
    shared: rowShared(schedule),
    subgroups: schedule.subgroup,
    declarations: () => foldTogether("sum", schedule),
    body: (s) => wgsl`
    let row = ${s.groupIndex};
    if (row >= ${s.rows}) { return; }
    let start = row * ${s.size};
    let count = f32(${s.size});
    var total = 0.0f;
    for (var i = ${s.lane}; i < ${s.size}; i += ${schedule.lanes}u) { total += ${s.x.load("start + i")}; }
    let center = together_sum(${s.lane}, total) / count;
    var squares = 0.0f;
    for (var i = ${s.lane}; i < ${s.size}; i += ${schedule.lanes}u) {
      let off = ${s.x.load("start + i")} - center;
      squares += off * off;
    }
    let factor = 1.0f / sqrt(together_sum(${s.lane}, squares) / count + ${s.epsilon});
    let first = (row % ${s.groups}) * (${s.size} / ${s.each});
    for (var i = ${s.lane}; i < ${s.size}; i += ${schedule.lanes}u) {
      let weight = first + i / ${s.each};
      let normal = (${s.x.load("start + i")} - center) * factor;
      ${s.y.store("start + i", wgsl`normal * ${s.scale.load("weight")} + ${s.bias.load("weight")}`)}
    }
  `,
  });

export const groupNormalizationKernel: Kernel = anyKernel(groupNormalization);
