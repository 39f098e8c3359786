import { binary, simd, unary } from "../src/backends/wasm/asm/expression.js";
import {
  Func,
  f32x4,
  i16x8,
  i32,
  i32x4,
  type Local,
  moduleBytes,
  type V128,
  v128,
} from "../src/backends/wasm/asm/index.js";
import { installNodeHost } from "../src/backends/wasm/host.node.js";
import { fences } from "../src/backends/wasm/kernels/matmul/fences.js";

/**
 * What this engine makes of 8-bit products: multiply-adds a cycle of each way to do them, in registers alone, and the bytes a cycle that
 * streaming loads deliver from sets of several sizes. `tsx bench/int8-lab.ts`. A cycle is the time of a dependent integer addition.
 */
installNodeHost();

const vv = (n: number) => binary("v128", "v128", "v128", simd(n));
const relaxedDot = vv(0x112);
const pairwise = unary("v128", "v128", simd(126));
const mulLow = vv(156);
const mulHigh = vv(157);

type V = Local<"v128">;

interface Way {
  readonly name: string;
  /** Multiply-adds of one step on one accumulator. */
  readonly multiplyAdds: number;
  step(sum: V, x: V, w: V): V128;
}

const ONES = v128.const(Array.from({ length: 8 }, () => [1, 0]).flat());

const WAYS: readonly Way[] = [
  { name: "f32x4 fused multiply-add", multiplyAdds: 4, step: (sum, x, w) => f32x4.relaxed_madd(x, w, sum) },
  { name: "f32x4.mul, f32x4.add", multiplyAdds: 4, step: (sum, x, w) => f32x4.add(f32x4.mul(x, w), sum) },
  {
    name: "i32x4.dot_i16x8_s, add (int16 in registers)",
    multiplyAdds: 8,
    step: (sum, x, w) => i32x4.add(i32x4.dot_i16x8_s(x, w), sum),
  },
  {
    name: "extend one side's int8, dot_i16x8_s, add",
    multiplyAdds: 8,
    step: (sum, x, w) => i32x4.add(i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(x), w), sum),
  },
  {
    name: "i16x8.extmul_i8x16 low and high, extadd_pairwise, add",
    multiplyAdds: 16,
    step: (sum, x, w) => i32x4.add(pairwise(mulLow(x, w)), i32x4.add(pairwise(mulHigh(x, w)), sum)),
  },
  {
    name: "i16x8.relaxed_dot (no addend), dot_i16x8_s by ones, add",
    multiplyAdds: 16,
    step: (sum, x, w) => i32x4.add(i32x4.dot_i16x8_s(relaxedDot(x, w), ONES), sum),
  },
  {
    name: "i16x8.relaxed_dot (no addend), extadd_pairwise, add",
    multiplyAdds: 16,
    step: (sum, x, w) => i32x4.add(pairwise(relaxedDot(x, w)), sum),
  },
  {
    name: "i32x4.relaxed_dot_i8x16_i7x16_add_s",
    multiplyAdds: 16,
    step: (sum, x, w) => i32x4.relaxed_dot_i8x16_i7x16_add_s(x, w, sum),
  },
];

const instantiate = (f: Func): ((a: number, b: number) => void) => {
  const module = new WebAssembly.Module(moduleBytes({ run: f }, { shared: false }).slice());
  return new WebAssembly.Instance(module, { env: { memory: own } }).exports.run as never;
};
const own = new WebAssembly.Memory({ initial: 1100, maximum: 65536 });

const ROWS = 2;
const VECTORS = 4;
/** Steps of a run; x passes through 8 KiB, so all loads hit the first cache. */
const STEPS = 400_000;

/** Best of many runs, in nanoseconds, after the engine had time to compile a second time. */
async function best(run: () => void): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (const until of [performance.now() + 250, performance.now() + 500]) {
    while (performance.now() < until) {
      const start = performance.now();
      run();
      least = Math.min(least, performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  return least * 1e6;
}

/** Nanoseconds of a cycle: one of a chain of additions, each waiting for the one before. */
async function cycle(): Promise<number> {
  const f = new Func(["i32", "i32", "i32"]);
  const [to, step] = f.params as [Local<"i32">, Local<"i32">];
  const x = f.local("i32", step);
  f.for(0, 1_000_000, 1, () => {
    for (let i = 0; i < 16; i++) f.set(x, i % 2 === 0 ? i32.add(x, step) : i32.xor(x, step));
  });
  f.storeI32(to, x);
  const run = instantiate(f);
  return (await best(() => run(64, 12345))) / 16e6;
}

/** A tile of 2 rows × 4 vectors: each step loads 4 vectors of x and 2 broadcast words of w for its 8 products. */
function kernelOf({ step }: Way): Func {
  const f = new Func(["i32", "i32", "i32"]);
  const to = f.params[0] as Local<"i32">;
  const at = f.local("i32", 1024);
  const count = f.local("i32", STEPS);
  const sums = Array.from({ length: ROWS }, () => f.localArray("v128", VECTORS));
  const w = f.localArray("v128", ROWS);
  const x = f.local("v128");
  const fence = fences(f, at);
  f.block(() =>
    f.doWhile(
      () => {
        for (let u = 0; u < 2; u++) {
          w.forEach((weight, r) => f.set(weight, v128.load32_splat(at, 128 * u + 16384 + 4 * r)));
          for (let j = 0; j < VECTORS; j++) {
            f.set(x, v128.load(at, 64 * u + 16 * j));
            sums.forEach((row, r) => f.set(row[j]!, step(row[j]!, x, w[r]!)));
            if (u === 0 || j < VECTORS - 1) fence(1);
          }
        }
        f.set(at, i32.or(i32.and(i32.add(at, 128), 8191), 1024));
        f.increment(count, -2);
      },
      () => count,
    ),
  );
  for (const sum of sums.flat()) f.storeV128(to, v128.xor(v128.load(to), sum));
  return f;
}

/** Sums vectors of `bytes` bytes at 1024, in order. */
function streamer(): Func {
  const f = new Func(["i32", "i32", "i32"]);
  const [to, bytes] = f.params as [Local<"i32">, Local<"i32">];
  const sums = f.localArray("v128", 8);
  const end = f.local("i32", i32.add(bytes, 1024));
  const at = f.local("i32", 1024);
  const fence = fences(f, at);
  f.block(() =>
    f.doWhile(
      () => {
        sums.forEach((sum, i) => {
          f.set(sum, v128.or(sum, v128.load(at, 16 * i)));
          if (i < 7) fence(1);
        });
        f.increment(at, 128);
      },
      () => i32.lt_u(at, end),
    ),
  );
  for (const sum of sums) f.storeV128(to, v128.xor(v128.load(to), sum));
  return f;
}

const supported = (f: Func): boolean => WebAssembly.validate(moduleBytes({ run: f }, { shared: false }).slice());

const ns = await cycle();
console.log(`${process.version}, V8 ${process.versions.v8}, ${(1 / ns).toFixed(2)} GHz`);
let reference = 0;
for (const way of WAYS) {
  const f = kernelOf(way);
  if (!supported(f)) {
    console.log(`${way.name.padEnd(58)} not here`);
    continue;
  }
  const run = instantiate(f);
  const rate = (way.multiplyAdds * ROWS * VECTORS * STEPS) / ((await best(() => run(64, 0))) / ns);
  reference ||= rate;
  console.log(`${way.name.padEnd(58)} ${rate.toFixed(1).padStart(5)} a cycle, ${(rate / reference).toFixed(2)} × f32`);
}
new Uint8Array(own.buffer).fill(1); // pages that nobody wrote are all one
const stream = instantiate(streamer());
for (const kib of [16, 256, 1024, 4096, 16384, 65536]) {
  const rounds = Math.max(1, Math.floor(131072 / kib));
  const time = await best(() => {
    for (let i = 0; i < rounds; i++) stream(64, kib * 1024);
  });
  const rate = (rounds * kib * 1024) / (time / ns);
  console.log(
    `${`streaming ${kib} KiB`.padEnd(58)} ${rate.toFixed(1).padStart(5)} bytes a cycle, ${(rate / ns).toFixed(1)} GB/s`,
  );
}
