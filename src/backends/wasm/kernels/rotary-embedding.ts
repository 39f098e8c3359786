import { type RotarySpec, rotaryCost, rotarySpec } from "../../specs/rotary-embedding.js";
import { type Func, f32, f32x4, i32, i64, type Local, v128 } from "../asm/index.js";
import { type Argument, anyKernel, type Kernel, type KernelCode, kernelFunction } from "../kernel.js";
import { eachRow } from "./lines.js";
import { copyBytes } from "./move/run.js";
import { perChunk } from "./rows.js";

/**
 * RotaryEmbedding of ONNX and com.microsoft, float32. A position outside the caches, which the operators leave undefined,
 * reads their first row rather than memory that is not theirs.
 */
const rotaryEmbedding: Kernel<RotarySpec, null> = {
  name: "rotary embedding",
  match: rotarySpec,
  schedules: () => [null],
  lower({ positions, interleaved, batch, rows, heads, headSize, size, cached, flat, inputs }, _, node, to) {
    const total = batch * rows * heads;
    const each = perChunk(headSize * 8);
    const [x, cos, sin] = [to.buffer(inputs.x), to.buffer(inputs.cos), to.buffer(inputs.sin)];
    const ids: Argument = inputs.ids === null ? 0 : to.buffer(inputs.ids);
    // Vectors in memory order: [batch, rows, heads] or [batch, heads, rows].
    const [middle, last] = flat ? [rows, heads] : [heads, rows];
    const args = [to.buffer(node.outputs[0]!), x, cos, sin, ids, total, each, middle, last, headSize, size, cached];
    to.launch(rotaryCode(positions, interleaved, flat), args, Math.ceil(total / each));
  },
  cost: rotaryCost,
};

/** Arguments: y, x, cos, sin, position ids, head vectors, vectors per chunk, the two inner axes over them, head size, rotated size, cache rows. */
const rotaryCode = (positions: RotarySpec["positions"], interleaved: boolean, flat: boolean): KernelCode => ({
  key: `rotary/${positions}/${interleaved ? "interleaved" : "halves"}/${flat ? "flat" : "heads"}`,
  build: () =>
    kernelFunction(12, (f, { chunk }, [y, x, cos, sin, ids, total, each, middle, last, headSize, size, cached]) => {
      const rest = f.local("i32", i32.shl(i32.sub(headSize!, size!), 2));
      const half = f.local("i32", i32.shr_u(size!, 1));
      const halfBytes = f.local("i32", i32.shl(half, 2));
      const [from, to, c, s, position, count] = f.localArray("i32", 6) as Local<"i32">[];
      eachRow(f, chunk, total!, each!, (vector) => {
        const outer = f.local("i32", i32.div_u(vector, last!));
        const row = flat ? i32.rem_u(outer, middle!) : i32.rem_u(vector, last!);
        // In both orders the batch is what is left; flat, `outer` counts (batch, row) already.
        const rows = flat ? middle! : last!;
        const inBatch = flat ? outer : i32.add(i32.mul(i32.div_u(outer, middle!), rows), row);
        if (positions === "counted") f.set(position!, inBatch);
        else if (positions === "started") f.set(position!, i32.add(i32.wrap_i64(i64.load(ids!)), row));
        else f.set(position!, i32.wrap_i64(i64.load(i32.add(ids!, i32.shl(inBatch, 3)))));
        f.set(position!, i32.select(i32.lt_u(position!, cached!), position!, 0));
        const start = i32.shl(i32.mul(vector, headSize!), 2);
        f.set(from!, i32.add(x!, start));
        f.set(to!, i32.add(y!, start));
        f.set(position!, i32.mul(position!, halfBytes));
        f.set(c!, i32.add(cos!, position!));
        f.set(s!, i32.add(sin!, position!));
        f.set(count!, half);
        const pointers = { from: from!, to: to!, cos: c!, sin: s!, count: count!, halfBytes };
        if (interleaved) rotatePairs(f, pointers);
        else {
          rotateHalves(f, pointers);
          f.increment(from!, halfBytes);
          f.increment(to!, halfBytes);
        }
        copyBytes(f, 4, to!, from!, rest);
        f.free(outer);
      });
    }),
});

interface Pointers {
  readonly from: Local<"i32">;
  readonly to: Local<"i32">;
  readonly cos: Local<"i32">;
  readonly sin: Local<"i32">;
  /** Pairs that are left. */
  readonly count: Local<"i32">;
  readonly halfBytes: Local<"i32">;
}

/** One pair, `apart` bytes apart: (a, b) becomes (cos·a - sin·b, sin·a + cos·b). */
function rotateOne(f: Func, { from, to, cos, sin }: Pointers, apart: Parameters<typeof i32.add>[1]): void {
  const other = (pointer: Local<"i32">) => i32.add(pointer, apart);
  const [a, b] = [f.local("f32", f32.load(from)), f.local("f32", f32.load(other(from)))];
  f.storeF32(to, f32.sub(f32.mul(f32.load(cos), a), f32.mul(f32.load(sin), b)));
  f.storeF32(other(to), f32.add(f32.mul(f32.load(sin), a), f32.mul(f32.load(cos), b)));
  f.free(a, b);
}

/** Pairs of element i and element i + half. Leaves the pointers at the end of the first half. */
function rotateHalves(f: Func, pointers: Pointers): void {
  const { from, to, cos, sin, count, halfBytes } = pointers;
  const [a, b, c, s] = f.localArray("v128", 4) as [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">];
  const advance = (pairs: number): void => {
    for (const pointer of [from, to, cos, sin]) f.increment(pointer, 4 * pairs);
    f.increment(count, -pairs);
  };
  f.while(i32.ge_s(count, 4), () => {
    f.set(a, v128.load(from));
    f.set(b, v128.load(i32.add(from, halfBytes)));
    f.set(c, v128.load(cos));
    f.set(s, v128.load(sin));
    f.storeV128(to, f32x4.sub(f32x4.mul(c, a), f32x4.mul(s, b)));
    f.storeV128(i32.add(to, halfBytes), f32x4.add(f32x4.mul(s, a), f32x4.mul(c, b)));
    advance(4);
  });
  f.while(count, () => {
    rotateOne(f, pointers, halfBytes);
    advance(1);
  });
  f.free(a, b, c, s);
}

/** Pairs of neighbours. Leaves the pointers after the last. */
function rotatePairs(f: Func, pointers: Pointers): void {
  f.while(pointers.count, () => {
    rotateOne(f, pointers, 4);
    for (const pointer of [pointers.from, pointers.to]) f.increment(pointer, 8);
    for (const pointer of [pointers.cos, pointers.sin]) f.increment(pointer, 4);
    f.increment(pointers.count, -1);
  });
}

export const rotaryEmbeddingKernel: Kernel = anyKernel(rotaryEmbedding);
