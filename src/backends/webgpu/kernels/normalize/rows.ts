import type { Value } from "../../../../graph/index.js";
import { type RowNormalization, rowNormalizationCost, rowNormalizationSpec } from "../../../specs/normalize/rows.js";
import { anyKernel, type Buffer, type Kernel, type ShaderCode } from "../../kernel.js";
import { type FloatName, groups, input, output, type Piece, type Storage, shader, wgsl } from "../../wgsl/index.js";
import { asFloat32, floatOf } from "../floats.js";
import { foldTogether, type RowSchedule, rowSchedules, rowShared, scheduleKey } from "../rows.js";

type Form = RowNormalization["form"];

/** What a form may have besides x, scale and y. */
const OPTIONAL_INPUTS = ["bias", "skip", "skipBias"] as const;
const OPTIONAL_OUTPUTS = ["mean", "inverse", "sum"] as const;

/** Layer and RMS normalization of rows of floats, with the residual sum of the Skip operators: a workgroup for each row. */
const rowNormalization: Kernel<RowNormalization, RowSchedule> = {
  name: "normalize rows",
  match(node, at) {
    const spec = rowNormalizationSpec(node, asFloat32(at));
    const bound = spec === null ? 0 : namesOf(spec.form).length;
    return bound <= at.device.limits.maxStorageBuffersPerShaderStage ? spec : null;
  },
  schedules: (_, device) => rowSchedules(device),
  lower({ form, rows, size, epsilon, skipRows, inputs, outputs }, schedule, _node, to) {
    const values = { ...inputs, ...outputs } as Readonly<Record<string, Value>>;
    const buffers: Record<string, Buffer> = {};
    const dtypes: Record<string, FloatName> = {};
    for (const name of namesOf(form)) {
      buffers[name] = to.buffer(values[name]!);
      dtypes[name] = floatOf(values[name]!, to);
    }
    to.launch(rowsCode(form, dtypes, schedule), buffers, { rows, size, epsilon, skip_rows: skipRows }, groups(rows));
  },
  cost: rowNormalizationCost,
};

/** What is bound, inputs before outputs. */
const namesOf = (form: Form): string[] => [
  ...["x", "scale", ...OPTIONAL_INPUTS.filter((name) => form[name])],
  ...["y", ...OPTIONAL_OUTPUTS.filter((name) => form[name])],
];

const isOutput = (name: string): boolean => ["y", ...OPTIONAL_OUTPUTS].includes(name);

const UNIFORMS = { rows: "u32", size: "u32", skip_rows: "u32", epsilon: "f32" } as const;

function rowsCode(form: Form, dtypes: Readonly<Record<string, FloatName>>, schedule: RowSchedule): ShaderCode {
  const bindings: Record<string, Storage> = {};
  for (const [name, dtype] of Object.entries(dtypes)) bindings[name] = isOutput(name) ? output(dtype) : input(dtype);
  const named = Object.entries(dtypes).map(([name, dtype]) => `${name}:${dtype}`);
  const eachElement = (body: Piece): Piece => wgsl`
    for (var i = lane; i < uniforms.size; i += ${schedule.lanes}u) {
      ${body}
    }
  `;
  return shader<string, string>({
    key: `normalize/rows/${form.centered ? "centered" : "rms"}/${named}/${scheduleKey(schedule)}`,
    workgroup: [schedule.lanes],
    bindings,
    uniforms: UNIFORMS,
    shared: rowShared(schedule),
    subgroups: schedule.subgroup,
    declarations: (s) => [
      foldTogether("sum", schedule),
      wgsl`
        fn element(row: u32, i: u32) -> f32 {
          var value = ${s.x!.load("row * uniforms.size + i")};
          ${form.skip ? wgsl`value += ${s.skip!.load("(row % uniforms.skip_rows) * uniforms.size + i")};` : []}
          ${form.skipBias ? wgsl`value += ${s.skipBias!.load("i")};` : []}
          return value;
        }
      `,
    ],
    body: (s) => wgsl`
      let row = ${s.groupIndex};
      if (row >= uniforms.rows) { return; }
      let count = f32(uniforms.size);
      ${
        form.centered
          ? wgsl`
              var total = 0.0f;
              ${eachElement("total += element(row, i);")}
              let center = together_sum(lane, total) / count;
            `
          : "let center = 0.0f;"
      }
      var squares = 0.0f;
      ${eachElement(wgsl`
        let off = element(row, i) - center;
        squares += off * off;
      `)}
      let factor = 1.0f / sqrt(together_sum(lane, squares) / count + uniforms.epsilon);
      ${eachElement(wgsl`
        let value = element(row, i);
        ${form.sum ? s.sum!.store("row * uniforms.size + i", "value") : []}
        var normal = (value - center) * factor * ${s.scale!.load("i")};
        ${form.bias ? wgsl`normal += ${s.bias!.load("i")};` : []}
        ${s.y!.store("row * uniforms.size + i", "normal")}
      `)}
      ${form.mean ? wgsl`if (lane == 0u) { ${s.mean!.store("row", "center")} }` : []}
      ${form.inverse ? wgsl`if (lane == 0u) { ${s.inverse!.store("row", "factor")} }` : []}
    `,
  });
}

export const rowNormalizationKernel: Kernel = anyKernel(rowNormalization);
