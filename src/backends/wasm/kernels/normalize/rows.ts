import { type RowNormalization, rowNormalizationCost, rowNormalizationSpec } from "../../../specs/normalize/rows.js";
import { type Func, f32x4, i32, i32x4, type Local, type V128, v128 } from "../../asm/index.js";
import {
  type Argument,
  anyKernel,
  type DeviceInfo,
  floatArgument,
  type Kernel,
  type KernelCode,
  kernelFunction,
} from "../../kernel.js";
import { madd } from "../../math.js";
import { eachRow, foldLine, mapLine, sumOf } from "../lines.js";
import { perChunk } from "../rows.js";

type Form = RowNormalization["form"];

/** Arguments that every form has, before the pointers that its own flags bring. */
const FIXED = 8;
const OPTIONAL = ["bias", "skip", "skipBias", "mean", "inverse", "sum"] as const;

/** Layer and RMS normalization of rows of float32, with the residual sum of the Skip operators. */
const rowNormalization: Kernel<RowNormalization, null> = {
  name: "normalize rows",
  match: rowNormalizationSpec,
  schedules: () => [null],
  lower({ form, rows, size, epsilon, skipRows, inputs, outputs }, _, _node, to) {
    const each = perChunk(size * 16);
    const args: Argument[] = [
      to.buffer(outputs.y),
      to.buffer(inputs.x),
      to.buffer(inputs.scale),
      rows,
      each,
      size,
      skipRows,
      floatArgument(epsilon),
    ];
    const values = { ...inputs, ...outputs };
    for (const name of OPTIONAL) if (form[name]) args.push(to.buffer(values[name]!));
    to.launch(rowsCode(form), args, Math.ceil(rows / each));
  },
  cost: rowNormalizationCost,
};

/** 1 / √(squares / size + epsilon) in all lanes; `epsilonAt` is the number of the argument that holds epsilon. */
export function inverseDeviation(squares: V128, size: Local<"i32">, args: Local<"i32">, epsilonAt: number): V128 {
  const variance = f32x4.div(squares, f32x4.convert_i32x4_s(i32x4.splat(size)));
  return f32x4.div(f32x4.const(1), f32x4.sqrt(f32x4.add(variance, v128.load32_splat(args, 4 * epsilonAt))));
}

/** Arguments: y, x, scale, rows, rows per chunk, size, residual rows, epsilon, then what the form has, in the order of OPTIONAL. */
const rowsCode = (form: Form): KernelCode => ({
  key: `normalize/rows/${form.centered ? "centered" : "rms"}/${OPTIONAL.filter((name) => form[name])}`,
  build: (device) =>
    kernelFunction(FIXED - 1, (f, { chunk }, [y, x, scale, rows, each, size, skipRows], args) => {
      const optional = new Map<string, Local<"i32">>();
      for (const name of OPTIONAL) {
        if (form[name]) optional.set(name, f.local("i32", i32.load(args, 4 * (FIXED + optional.size))));
      }
      const bytes = f.local("i32", i32.shl(size!, 2));
      const [from, to, residual] = f.localArray("i32", 3) as [Local<"i32">, Local<"i32">, Local<"i32">];
      eachRow(f, chunk, rows!, each!, (row) => {
        f.set(from, i32.add(x!, i32.mul(row, bytes)));
        if (form.skip) {
          const skip = optional.get("skip")!;
          f.set(residual, i32.add(skip, i32.mul(i32.rem_u(row, skipRows!), bytes)));
          f.set(to, i32.add(optional.get("sum") ?? y!, i32.mul(row, bytes)));
          const added = form.skipBias ? [optional.get("skipBias")!] : [];
          mapLine(f, [from, residual, ...added], to, size!, (...terms) =>
            terms.slice(1).reduce<V128>((sum, term) => f32x4.add(sum, term), terms[0]!),
          );
          f.set(from, to);
        }
        f.set(to, i32.add(y!, i32.mul(row, bytes)));
        normalizeRow(f, device, form, { from, to, size: size!, scale: scale!, row, args }, optional);
      });
    }),
});

interface Row {
  readonly from: Local<"i32">;
  readonly to: Local<"i32">;
  readonly size: Local<"i32">;
  readonly scale: Local<"i32">;
  readonly row: Local<"i32">;
  readonly args: Local<"i32">;
}

function normalizeRow(
  f: Func,
  device: DeviceInfo,
  form: Form,
  { from, to, size, scale, row, args }: Row,
  optional: ReadonlyMap<string, Local<"i32">>,
): void {
  const mean = form.centered ? meanOfLine(f, from, size) : null;
  const inverse = squaresOfLine(f, from, size, mean, device);
  f.set(inverse, inverseDeviation(inverse, size, args, FIXED - 1));
  const store = (name: string, value: Local<"v128">) =>
    f.store32Lane(i32.add(optional.get(name)!, i32.shl(row, 2)), value, 0);
  if (form.mean && mean !== null) store("mean", mean);
  if (form.inverse) store("inverse", inverse);
  const bias = optional.get("bias");
  mapLine(f, [from, scale, ...(bias ? [bias] : [])], to, size, (x, weight, shift) => {
    const normalized = f32x4.mul(mean === null ? x! : f32x4.sub(x!, mean), inverse);
    return shift ? madd(normalized, weight!, shift, device) : f32x4.mul(normalized, weight!);
  });
  f.free(inverse);
  if (mean !== null) f.free(mean);
}

/** The mean of a line of floats, in all lanes of a local. */
export function meanOfLine(f: Func, from: Local<"i32">, size: Local<"i32">): Local<"v128"> {
  const mean = foldLine(
    f,
    [from],
    size,
    sumOf((x) => x!),
  );
  f.set(mean, f32x4.div(mean, f32x4.convert_i32x4_s(i32x4.splat(size))));
  return mean;
}

/** The sum of the squares of a line's differences from `mean` (or of its elements), in all lanes of a local. */
export function squaresOfLine(
  f: Func,
  from: Local<"i32">,
  size: Local<"i32">,
  mean: Local<"v128"> | null,
  device: DeviceInfo,
): Local<"v128"> {
  const difference = f.local("v128");
  const squares = foldLine(
    f,
    [from],
    size,
    {
      initial: f32x4.const(0),
      next: (sum, x) => {
        if (mean === null) return madd(x!, x!, sum, device);
        f.set(difference, f32x4.sub(x!, mean));
        return madd(difference, difference, sum, device);
      },
      join: f32x4.add,
    },
    [mean ?? f32x4.const(0)],
  );
  f.free(difference);
  return squares;
}

export const rowNormalizationKernel: Kernel = anyKernel(rowNormalization);
