import { NonzeroError } from "../tensor/index.js";
import { bsr } from "./bsr.js";
import { csr } from "./csr.js";
import type { Layout } from "./layout.js";
import { nm } from "./n-m.js";
import { semiStructured } from "./semi-structured.js";
import { vnm } from "./v-n-m.js";

const FORMS: readonly (readonly [RegExp, (...numbers: number[]) => Layout])[] = [
  [/^csr$/, () => csr],
  [/^bsr:(\d+)x(\d+)$/, (height, width) => bsr(block(height!), block(width!))],
  [/^semi-structured$/, () => semiStructured],
  [/^n:m:(\d+):(\d+)$/, (n, m) => nm(...group(n!, m!))],
  [/^v:n:m:(\d+):(\d+):(\d+)$/, (v, n, m) => vnm(block(v!), ...group(n!, m!))],
];

const cache = new Map<string, Layout>();

/** The layout that a text names: `csr`, `bsr:16x16`, `semi-structured`, `n:m:1:4`, `v:n:m:4:2:4`. @throws NonzeroError "layout". */
export function parseLayout(text: string): Layout {
  const known = cache.get(text);
  if (known !== undefined) return known;
  for (const [form, make] of FORMS) {
    const match = form.exec(text);
    if (match === null) continue;
    const layout = make(...match.slice(1).map(Number));
    if (layout.text !== text) break; // 016x16
    if (cache.size < 256) cache.set(text, layout);
    return layout;
  }
  throw new NonzeroError("layout", `no layout '${text}'`);
}

/** The length of a block's or band's side. */
function block(size: number): number {
  if (size < 1 || size > 4096) throw new NonzeroError("layout", `a block's side is 1 to 4096, not ${size}`);
  return size;
}

function group(n: number, m: number): [number, number] {
  if (m < 2 || m > 4096 || n < 1 || n > m) {
    throw new NonzeroError("layout", `n:m needs 1 ≤ n ≤ m and 2 ≤ m ≤ 4096, not ${n}:${m}`);
  }
  return [n, m];
}
