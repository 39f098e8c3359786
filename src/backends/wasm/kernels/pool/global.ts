import { type GlobalPoolSpec, globalPoolCost, globalPoolSpec } from "../../../specs/pool/global.js";
import { f32, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import { type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";

/** Elements that a chunk reads, about. */
const ELEMENTS = 16384;

/** GlobalAveragePool and GlobalMaxPool, float32: the mean or the largest element of each plane. */
export const globalPool: Kernel<GlobalPoolSpec, null> = {
  name: "global-pool",
  match: globalPoolSpec,
  schedules: () => [null],
  lower({ reduction, planes, size }, _schedule, node, to) {
    const perChunk = Math.ceil(ELEMENTS / size);
    const args = [to.buffer(node.inputs[0]!), to.buffer(node.outputs[0]!), size, planes, perChunk];
    if (planes > 0) to.launch(reduction === "max" ? MAX : AVERAGE, args, Math.ceil(planes / perChunk));
  },
  cost: globalPoolCost,
};

type I = Local<"i32">;

/** Arguments: x, y, elements of a plane, planes, planes of a chunk. */
const globalCode = (max: boolean): KernelCode => ({
  key: `pool/global/${max ? "max" : "average"}`,
  build: () =>
    kernelFunction(5, (f, { chunk }, args) => {
      const [x, y, size, planes, perChunk] = args as [I, I, I, I, I];
      const first = f.local("i32", i32.mul(chunk, perChunk));
      const end = f.local("i32", i32.add(first, perChunk));
      f.set(end, i32.min_s(end, planes));
      f.increment(x, i32.shl(i32.mul(first, size), 2));
      f.increment(y, i32.shl(first, 2));
      const fresh = f32x4.const(max ? Number.NEGATIVE_INFINITY : 0);
      const four = max ? f32x4.max : f32x4.add;
      const one = max ? f32.max : f32.add;
      const partial = f.localArray("v128", 4) as [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">];
      const result = f.local("f32");
      f.for(first, end, 1, () => {
        for (const local of partial) f.set(local, fresh);
        const rest = f.local("i32", size);
        for (const vectors of [4, 1]) {
          f.while(i32.ge_s(rest, 4 * vectors), () => {
            for (let v = 0; v < vectors; v++) f.set(partial[v]!, four(partial[v]!, v128.load(x, 16 * v)));
            f.increment(x, 16 * vectors);
            f.increment(rest, -4 * vectors);
          });
        }
        const [a, b, c, d] = partial;
        f.set(a, four(four(a, b), four(c, d)));
        f.set(result, f32x4.extract_lane(a, 0));
        for (const lane of [1, 2, 3]) f.set(result, one(result, f32x4.extract_lane(a, lane)));
        f.while(rest, () => {
          f.set(result, one(result, f32.load(x)));
          f.increment(x, 4);
          f.increment(rest, -1);
        });
        f.storeF32(y, max ? result : f32.div(result, f32.convert_i32_s(size)));
        f.increment(y, 4);
        f.free(rest);
      });
    }),
});
const MAX = globalCode(true);
const AVERAGE = globalCode(false);
