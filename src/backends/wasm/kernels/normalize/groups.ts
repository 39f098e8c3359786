import { type GroupSpec, groupNormalizationCost, groupNormalizationSpec } from "../../../specs/normalize/groups.js";
import { f32x4, i32, v128 } from "../../asm/index.js";
import { anyKernel, floatArgument, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { madd } from "../../math.js";
import { eachRow, mapLine } from "../lines.js";
import { perChunk } from "../rows.js";
import { inverseDeviation, meanOfLine, squaresOfLine } from "./rows.js";

/** ONNX GroupNormalization and InstanceNormalization of float32. */
const groupNormalization: Kernel<GroupSpec, null> = {
  name: "normalize groups",
  match: groupNormalizationSpec,
  schedules: () => [null],
  lower({ batch, channels, plane, groups, epsilon, perGroup }, _, node, to) {
    const [x, scale, bias] = node.inputs.map((input) => to.buffer(input!));
    const inGroup = channels / groups;
    const rows = batch * groups;
    const each = perChunk(inGroup * plane * 16);
    const args = [to.buffer(node.outputs[0]!), x!, scale!, bias!, rows, each, groups, inGroup, plane];
    to.launch(groupsCode(perGroup), [...args, floatArgument(epsilon)], Math.ceil(rows / each));
  },
  cost: groupNormalizationCost,
};

/** Arguments: y, x, scale, bias, rows (a group of an instance each), rows per chunk, groups, channels in a group, plane, epsilon. */
const groupsCode = (perGroup: boolean): KernelCode => ({
  key: `normalize/groups/${perGroup}`,
  build: (device) =>
    kernelFunction(9, (f, { chunk }, [y, x, scale, bias, rows, each, groups, inGroup, plane], args) => {
      const size = f.local("i32", i32.mul(inGroup!, plane!));
      const from = f.local("i32");
      const to = f.local("i32");
      const weightAt = f.local("i32");
      eachRow(f, chunk, rows!, each!, (row) => {
        const start = i32.shl(i32.mul(row, size), 2);
        f.set(from, i32.add(x!, start));
        f.set(to, i32.add(y!, start));
        const mean = meanOfLine(f, from, size);
        const inverse = squaresOfLine(f, from, size, mean, device);
        f.set(inverse, inverseDeviation(inverse, size, args, 9));
        const group = f.local("i32", i32.rem_u(row, groups!));
        f.set(weightAt, i32.shl(perGroup ? group : i32.mul(group, inGroup!), 2));
        const bytes = i32.shl(plane!, 2);
        f.for(0, inGroup!, 1, () => {
          const factor = f.local("v128", f32x4.mul(inverse, v128.load32_splat(i32.add(scale!, weightAt))));
          const shift = f.local("v128", v128.load32_splat(i32.add(bias!, weightAt)));
          mapLine(f, [from], to, plane!, (v) => madd(f32x4.sub(v!, mean), factor, shift, device));
          f.increment(from, bytes);
          f.increment(to, bytes);
          if (!perGroup) f.increment(weightAt, 4);
          f.free(factor, shift);
        });
        f.free(mean, inverse, group);
      });
    }),
});

export const groupNormalizationKernel: Kernel = anyKernel(groupNormalization);
