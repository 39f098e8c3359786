import { NonzeroError } from "../tensor/index.js";
import { bitmask } from "./bitmask.js";
import { blockNm } from "./block-n-m.js";
import { bsr } from "./bsr.js";
import { bsrNm } from "./bsr-n-m.js";
import { coo } from "./coo.js";
import { csr } from "./csr.js";
import { dense } from "./dense.js";
import { grouped } from "./grouped.js";
import type { Layout } from "./layout.js";
import { nm } from "./n-m.js";
import { semiStructured } from "./semi-structured.js";
import { shuffledBsr } from "./shuffled-bsr.js";
import { cols, rows } from "./structured.js";
import { vnm } from "./v-n-m.js";

const FORMS: readonly (readonly [RegExp, (...numbers: number[]) => Layout])[] = [
  [/^dense$/, () => dense],
  [/^dense:g(\d+)$/, (size) => grouped(block(size!))],
  [/^coo$/, () => coo],
  [/^csr$/, () => csr],
  [/^bitmask$/, () => bitmask],
  [/^rows$/, () => rows],
  [/^cols$/, () => cols],
  [/^bsr:(\d+)x(\d+)$/, (height, width) => bsr(block(height!), block(width!))],
  [/^shuffled-bsr:(\d+)x(\d+)$/, (height, width) => shuffledBsr(block(height!), block(width!))],
  [/^bsr:(\d+)x(\d+)\+(\d+):(\d+)$/, (height, width, n, m) => groupedBlocks(height!, width!, n!, m!)],
  [/^bnm:(\d+)x(\d+):(\d+):(\d+)$/, (r, c, n, m) => blockNm(block(r!), block(c!), ...group(n!, m!))],
  [/^semi-structured$/, () => semiStructured],
  [/^n:m:(\d+):(\d+)$/, (n, m) => nm(...group(n!, m!))],
  [/^v:n:m:(\d+):(\d+):(\d+)$/, (v, n, m) => vnm(block(v!), ...group(n!, m!))],
];

const cache = new Map<string, Layout>();

/**
 * The layout that a text names: `dense`, `dense:gG`, `coo`, `csr`, `bitmask`, `rows`, `cols`, `bsr:RxC`, `bsr:RxC+N:M`, `shuffled-bsr:RxC`, `bnm:RxC:N:M`,
 * `semi-structured`, `n:m:N:M`, `v:n:m:V:N:M`. Sides, V, M and G are at most 4096. @throws NonzeroError "layout".
 */
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

function groupedBlocks(height: number, width: number, n: number, m: number): Layout {
  group(n, m);
  if (width % m !== 0) throw new NonzeroError("layout", `groups of ${m} do not divide blocks of ${width} columns`);
  return bsrNm(block(height), block(width), n, m);
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
