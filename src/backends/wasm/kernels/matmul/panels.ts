import { type Func, type f32x4, i32, type Local, v128 } from "../../asm/index.js";
import type { I32 } from "../../asm/instructions.js";
import { type Argument, type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";

/**
 * How the columns of X [K, N] are cut into panels: 4 columns are a vector (16 bytes), a panel is `wide` or `wide` - 1
 * neighbouring vectors, the first `wideCount` panels are the wide ones, so that no panel is much narrower than another.
 *
 * Packed, element (k, n) of the panel p that begins at column n0 is the float32 at byte p·K·pitch + k·pitch + 4·(n - n0):
 * rows of a panel lie one after another, `pitch` bytes apart, also in the narrower panels. Columns from N up to the next
 * multiple of 4 hold anything.
 */
export interface Panels {
  readonly K: number;
  readonly N: number;
  readonly count: number;
  /** Vectors of a wide panel. */
  readonly wide: number;
  readonly wideCount: number;
  /** Bytes from one row of a panel to the next: 16 · wide. */
  readonly pitch: number;
}

/** The fewest panels of at most `maxWide` vectors. */
export function panelsOf(K: number, N: number, maxWide: number): Panels {
  const vectors = Math.ceil(N / 4);
  const count = Math.ceil(vectors / maxWide);
  const wide = Math.ceil(vectors / count);
  return { K, N, count, wide, wideCount: vectors - count * (wide - 1), pitch: 16 * wide };
}

/** Bytes of a packed X. */
export const packedBytes = ({ count, K, pitch }: Panels): number => count * K * pitch;

/** The widths, in vectors, that panels have. */
export const widthsOf = ({ count, wide, wideCount }: Panels): number[] =>
  wideCount < count ? [wide, wide - 1] : [wide];

/** Code for each width that panels have, under a test of panel number `p`; `column` is the panel's first column. */
export function forWidths(
  f: Func,
  widths: readonly number[],
  p: Local<"i32">,
  wideCount: Local<"i32">,
  body: (width: number, column: Local<"i32">) => void,
): void {
  const [wide, narrow] = widths as [number, number | undefined];
  const column = f.local("i32", i32.mul(p, 4 * wide));
  if (narrow === undefined) body(wide, column);
  else {
    f.if(
      i32.lt_s(p, wideCount),
      () => body(wide, column),
      () => {
        f.set(column, i32.mul(i32.add(i32.mul(p, narrow), wideCount), 4));
        body(narrow, column);
      },
    );
  }
  f.free(column);
}

/** Rows of X that one chunk of a packer takes. */
const ROWS = 256;

/**
 * Adds a launch that packs X into panels. `xStride` is the distance in elements between rows of memory: rows are features
 * ([K, N], "feature-major") or tokens ([N, K], "token-major").
 */
export function pack(
  to: Lowering,
  panels: Panels,
  order: "feature-major" | "token-major",
  x: Argument,
  xStride: number,
): Buffer {
  const packed = to.scratch(packedBytes(panels));
  const slices = Math.ceil(panels.K / ROWS);
  const args = [x, packed, panels.K, panels.N, xStride * 4, slices, panels.wideCount];
  to.launch(packer(widthsOf(panels), order), args, panels.count * slices);
  return packed;
}

function packer(widths: readonly number[], order: "feature-major" | "token-major"): KernelCode {
  return {
    key: `matmul/pack/${order}/${widths}`,
    build: () =>
      kernelFunction(7, (f, { chunk }, args) => {
        const [x, packed, K, N, stride, slices, wideCount] = args as [I, I, I, I, I, I, I];
        const pitch = 16 * widths[0]!;
        const p = f.local("i32", i32.div_u(chunk, slices));
        const k0 = f.local("i32", i32.mul(i32.rem_u(chunk, slices), ROWS));
        const rows = f.local("i32", i32.sub(K, k0));
        f.set(rows, i32.select(i32.gt_s(rows, ROWS), ROWS, rows));
        f.increment(packed, i32.mul(i32.add(i32.mul(p, K), k0), pitch));
        const copy = order === "token-major" ? transposeTokens : copyFeatures;
        forWidths(f, widths, p, wideCount, (width, column) =>
          copy(f, { x, packed, N, stride, k0, rows, column, width, pitch }),
        );
      }),
  };
}
type I = Local<"i32">;

interface Slice {
  readonly x: I;
  /** Where the slice's first row goes. */
  readonly packed: I;
  readonly N: I;
  /** Bytes between rows of x. */
  readonly stride: I;
  readonly k0: I;
  readonly rows: I;
  readonly column: I;
  readonly width: number;
  readonly pitch: number;
}

function copyFeatures(f: Func, { x, packed, N, stride, k0, rows, column, width, pitch }: Slice): void {
  const from = f.local("i32", i32.add(x, i32.add(i32.mul(k0, stride), i32.shl(column, 2))));
  const end = f.local("i32", i32.add(packed, i32.mul(rows, pitch)));
  const inside = f.local("i32", i32.sub(N, column));
  const eachRow = (copyRow: () => void): void =>
    f.doWhile(
      () => {
        copyRow();
        f.increment(from, stride);
        f.increment(packed, pitch);
      },
      () => i32.lt_u(packed, end),
    );
  f.if(
    i32.ge_s(inside, 4 * width),
    () =>
      eachRow(() => {
        for (let j = 0; j < width; j++) f.storeV128(packed, v128.load(from, 16 * j), 16 * j);
      }),
    () => eachRow(() => f.for(0, inside, 1, (n) => copyWord(f, from, packed, n))),
  );
  f.free(from, end, inside);
}

function copyWord(f: Func, from: I, to: I, index: I): void {
  const offset = i32.shl(index, 2);
  f.storeI32(i32.add(to, offset), i32.load(i32.add(from, offset)));
}

function transposeTokens(f: Func, { x, packed, N, stride, k0, rows, column, width, pitch }: Slice): void {
  const end = f.local("i32");
  const to = f.local("i32");
  const last = f.local("i32", i32.sub(N, 1));
  const token = f.local("i32");
  const from = f.localArray("i32", 4);
  f.for(0, width, 1, (j) => {
    // Columns beyond N repeat the last one: their sums are never stored.
    from.forEach((pointer, i) => {
      f.set(token, i32.add(i32.add(column, i32.shl(j, 2)), i));
      f.set(token, i32.min_s(token, last));
      f.set(pointer, i32.add(x, i32.add(i32.mul(token, stride), i32.shl(k0, 2))));
    });
    f.set(to, i32.add(packed, i32.shl(j, 4)));
    f.set(end, i32.add(to, i32.mul(i32.and(rows, -4), pitch)));
    f.while(i32.lt_u(to, end), () => {
      const columns = transpose(
        f,
        from.map((pointer) => v128.load(pointer)),
      );
      columns.forEach((vector, i) => f.storeV128(to, vector, i * pitch));
      for (const pointer of from) f.increment(pointer, 16);
      f.increment(to, 4 * pitch);
      f.free(...columns);
    });
    f.set(end, i32.add(to, i32.mul(i32.and(rows, 3), pitch)));
    f.while(i32.lt_u(to, end), () => {
      const first = v128.load32_zero(from[0]!);
      f.storeV128(
        to,
        [1, 2, 3].reduce((v, i) => v128.load32_lane(from[i]!, v, i), first),
      );
      for (const pointer of from) f.increment(pointer, 4);
      f.increment(to, pitch);
    });
  });
  f.free(end, to, last, token, ...from);
}

/** The transpose of a 4 × 4 matrix given by rows; the caller frees the four locals. */
export function transpose(f: Func, rows: readonly ReturnType<typeof f32x4.const>[]): Local<"v128">[] {
  const [a, b, c, d] = rows.map((row) => f.local("v128", row)) as [V, V, V, V];
  const ab = f.local("v128", v128.shuffle32(a, b, [0, 4, 1, 5]));
  const cd = f.local("v128", v128.shuffle32(c, d, [0, 4, 1, 5]));
  f.set(a, v128.shuffle32(a, b, [2, 6, 3, 7]));
  f.set(b, v128.shuffle32(c, d, [2, 6, 3, 7]));
  f.set(c, v128.shuffle32(a, b, [0, 1, 4, 5]));
  f.set(d, v128.shuffle32(a, b, [2, 3, 6, 7]));
  f.set(a, v128.shuffle32(ab, cd, [0, 1, 4, 5]));
  f.set(b, v128.shuffle32(ab, cd, [2, 3, 6, 7]));
  f.free(ab, cd);
  return [a, b, c, d];
}
type V = Local<"v128">;

export type { I32 };
