import { type Func, i32, type Local } from "../../asm/index.js";

/** Stores the first `count` lanes, 1 to 3. */
export function storeSome(f: Func, to: Local<"i32">, value: Local<"v128">, count: Local<"i32">): void {
  for (const lane of [0, 1, 2]) f.if(i32.gt_s(count, lane), () => f.store32Lane(to, value, lane, 4 * lane));
}
