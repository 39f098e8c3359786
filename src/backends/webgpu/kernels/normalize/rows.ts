import { type RowNormalization, rowNormalizationCost, rowNormalizationSpec } from "../../../specs/normalize/rows.js";
import { anyKernel, type Buffer, type Kernel, type ShaderCode } from "../../kernel.js";
import { groups, input, output, type Piece, type Storage, shader, wgsl } from "../../wgsl/index.js";
import { foldTogether, type RowSchedule, rowSchedules, rowShared, scheduleKey } from "../rows.js";

type Form = RowNormalization["form"];

/** What a form may have besides x, scale and y. */
const OPTIONAL_INPUTS = ["bias", "skip", "skipBias"] as const;
const OPTIONAL_OUTPUTS = ["mean", "inverse", "sum"] as const;

/** Layer and RMS normalization of rows of float32, with the residual sum of the Skip operators: a workgroup for each row. */
const rowNormalization: Kernel<RowNormalization, RowSchedule> = {
  name: "normalize rows",
  match(node, at) {
    const spec = rowNormalizationSpec(node, at);
    const bound = spec === null ? 0 : Object.keys(bindingsOf(spec.form)).length;
    return bound <= at.device.limits.maxStorageBuffersPerShaderStage ? spec : null;
  },
  schedules: (_, device) => rowSchedules(device),
  lower({ form, rows, size, epsilon, skipRows, inputs, outputs }, schedule, _node, to) {
    const values = { ...inputs, ...outputs };
    const buffers: Record<string, Buffer> = {};
    for (const name of Object.keys(bindingsOf(form))) buffers[name] = to.buffer(values[name as keyof typeof values]!);
    to.launch(rowsCode(form, schedule), buffers, { rows, size, epsilon, skip_rows: skipRows }, groups(rows));
  },
  cost: rowNormalizationCost,
};

function bindingsOf(form: Form): Record<string, Storage> {
  const bindings: Record<string, Storage> = { x: input("f32"), scale: input("f32") };
  for (const name of OPTIONAL_INPUTS) if (form[name]) bindings[name] = input("f32");
  bindings.y = output("f32");
  for (const name of OPTIONAL_OUTPUTS) if (form[name]) bindings[name] = output("f32");
  return bindings;
}

const UNIFORMS = { rows: "u32", size: "u32", skip_rows: "u32", epsilon: "f32" } as const;

function rowsCode(form: Form, schedule: RowSchedule): ShaderCode {
  const names = [...OPTIONAL_INPUTS, ...OPTIONAL_OUTPUTS].filter((name) => form[name]);
  const eachElement = (body: Piece): Piece => wgsl`
    for (var i = lane; i < uniforms.size; i += ${schedule.lanes}u) {
      ${body}
    }
  `;
  const skip = form.skip ? " + skip[(row % uniforms.skip_rows) * uniforms.size + i]" : "";
  const skipBias = form.skipBias ? " + skipBias[i]" : "";
  return shader({
    key: `normalize/rows/${form.centered ? "centered" : "rms"}/${names}/${scheduleKey(schedule)}`,
    workgroup: [schedule.lanes],
    bindings: bindingsOf(form) as Record<string, Storage>,
    uniforms: UNIFORMS as Record<string, "u32" | "f32">,
    shared: rowShared(schedule),
    subgroups: schedule.subgroup,
    declarations: () => [
      foldTogether("sum", schedule),
      wgsl`
        fn element(row: u32, i: u32) -> f32 {
          return x[row * uniforms.size + i]${skip}${skipBias};
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
        ${form.sum ? "sum[row * uniforms.size + i] = value;" : []}
        y[row * uniforms.size + i] = (value - center) * factor * scale[i]${form.bias ? " + bias[i]" : ""};
      `)}
      ${form.mean ? "if (lane == 0u) { mean[row] = center; }" : []}
      ${form.inverse ? "if (lane == 0u) { inverse[row] = factor; }" : []}
    `,
  });
}

export const rowNormalizationKernel: Kernel = anyKernel(rowNormalization);
