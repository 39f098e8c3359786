import { type Expr, type Func, i32, type Local } from "../../asm/index.js";

/** Arguments of the attention kernels, in this order. Strides are in bytes. */
export const ARGUMENTS = [
  "q",
  "k",
  "v",
  "y",
  "mask",
  "scratch",
  "scratchBytes",
  "chunks",
  "items",
  "blocks",
  "heads",
  "sharing",
  "queries",
  "keys",
  "headSize",
  "valueSize",
  "qBatch",
  "qHead",
  "qRow",
  "kBatch",
  "kHead",
  "kRow",
  "vBatch",
  "vHead",
  "vRow",
  "yBatch",
  "yHead",
  "yRow",
  "maskBatch",
  "maskHead",
  "maskRow",
  "maskKey",
  "position",
  "scale",
] as const;

export type Arguments = Readonly<Record<(typeof ARGUMENTS)[number], Local<"i32">>>;

/** How scores are masked: part of a kernel's key. */
export interface Masking {
  readonly mask: "none" | "float32" | "bool";
  readonly causal: boolean;
}

/** One block of queries of one head of one batch entry: where its first query's row, its keys, values, result and mask lie. */
export interface Item {
  readonly q: Local<"i32">;
  readonly k: Local<"i32">;
  readonly v: Local<"i32">;
  readonly y: Local<"i32">;
  readonly mask: Local<"i32">;
  readonly scratch: Local<"i32">;
  /** The first query, and how many there are. */
  readonly first: Local<"i32">;
  readonly rows: Local<"i32">;
  /** Keys that the last of them sees, at most. */
  readonly keys: Local<"i32">;
}

/**
 * Runs `body` for the items chunk, chunk + chunks, …: (batch, head, block of `height` queries), blocks innermost. A chunk has scratch
 * memory of its own, which its items use in turn.
 */
export function forItems(
  f: Func,
  chunk: Local<"i32">,
  a: Arguments,
  height: number,
  masking: Masking,
  body: (item: Item) => void,
): void {
  const scratch = f.local("i32", i32.add(a.scratch, i32.mul(chunk, a.scratchBytes)));
  f.for(chunk, a.items, a.chunks, (number) => {
    const outer = f.local("i32", i32.div_u(number, a.blocks));
    const first = f.local("i32", i32.mul(i32.rem_u(number, a.blocks), height));
    const head = f.local("i32", i32.rem_u(outer, a.heads));
    const batch = f.local("i32", i32.div_u(outer, a.heads));
    const kvHead = f.local("i32", i32.div_u(head, a.sharing));
    const at = (base: Local<"i32">, ...steps: (readonly [Local<"i32">, Local<"i32">])[]): Local<"i32"> => {
      const address = f.local("i32", base);
      for (const [index, stride] of steps) f.increment(address, i32.mul(index, stride));
      return address;
    };
    const rows = f.local("i32", i32.sub(a.queries, first));
    f.if(i32.gt_s(rows, height), () => f.set(rows, height));
    const keys = f.local("i32", a.keys);
    if (masking.causal) {
      const seen = f.local("i32", i32.add(i32.add(first, rows), a.position));
      f.set(keys, i32.min_s(seen, keys));
      f.if(i32.lt_s(keys, 0), () => f.set(keys, 0));
      f.free(seen);
    }
    const item: Item = {
      q: at(a.q, [batch, a.qBatch], [head, a.qHead], [first, a.qRow]),
      k: at(a.k, [batch, a.kBatch], [kvHead, a.kHead]),
      v: at(a.v, [batch, a.vBatch], [kvHead, a.vHead]),
      y: at(a.y, [batch, a.yBatch], [head, a.yHead], [first, a.yRow]),
      mask: at(a.mask, [batch, a.maskBatch], [head, a.maskHead], [first, a.maskRow]),
      scratch,
      first,
      rows,
      keys,
    };
    body(item);
    f.free(outer, first, head, batch, kvHead, rows, keys, item.q, item.k, item.v, item.y, item.mask);
  });
}

const HIDDEN_BITS = 0xff800000 | 0; // -Infinity

/** The bits of what the mask's element at `pointer` adds to a score. */
export const maskBits = (mask: Masking["mask"], pointer: Local<"i32">): Expr<"i32"> =>
  mask === "float32" ? i32.load(pointer) : i32.select(i32.load8_u(pointer), 0, HIDDEN_BITS);
