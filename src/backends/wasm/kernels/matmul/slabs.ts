import { type Func, i32, type Local } from "../../asm/index.js";

type I = Local<"i32">;

export interface Slab {
  /** Inputs of the slab: floats of a column of X, or words of levels. */
  readonly inputs: I;
  /** Not 0 in the first slab, and in the last. */
  readonly fresh: I;
  readonly last: I;
}

/** Runs `body` for each slab of a panel, with the slab's address. */
export function forSlabs(
  f: Func,
  { x, p, K, pitch, slab }: { x: I; p: I; K: I; pitch: number; slab: number },
  body: (x: I, slab: Slab) => void,
): void {
  const k = f.local("i32", 0);
  const inputs = f.local("i32");
  const fresh = f.local("i32");
  const last = f.local("i32");
  const slabX = f.local("i32", i32.add(x, i32.mul(i32.mul(p, K), pitch)));
  f.doWhile(
    () => {
      f.set(fresh, i32.eqz(k));
      f.set(inputs, i32.sub(K, k));
      f.set(last, i32.le_s(inputs, slab));
      f.set(inputs, i32.min_s(inputs, slab));
      body(slabX, { inputs, fresh, last });
      f.increment(slabX, slab * pitch);
      f.increment(k, slab);
    },
    () => i32.lt_s(k, K),
  );
  f.free(k, inputs, fresh, last, slabX);
}
