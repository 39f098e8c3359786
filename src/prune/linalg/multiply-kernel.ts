import { Func, f64x2, i32, type Local, moduleBytes, v128 } from "../../backends/wasm/asm/index.js";

/** Rows and columns of the tile that is held in registers. */
export const TILE = 4;

/** (a, b, c, row panels, column panels, depth): C = A·B, overwritten. Addresses in bytes, multiples of 16; depth ≥ 1. */
export type MultiplyKernel = (a: number, b: number, c: number, rows: number, cols: number, depth: number) => void;

/**
 * The product of packed doubles. A comes in panels of 4 rows [panels, depth, 4], B in panels of 4 columns [panels, depth, 4]; C is
 * row-major. Sums run in order of depth without fused multiply-adds, so that every machine gets the same bits.
 */
export function multiplyKernel(memory: WebAssembly.Memory): MultiplyKernel {
  const module = new WebAssembly.Module(moduleBytes({ multiply: multiply() }, { shared: false }));
  return new WebAssembly.Instance(module, { env: { memory } }).exports.multiply as MultiplyKernel;
}

const PANEL_BYTES = TILE * 8;

function multiply(): Func {
  const f = new Func(["i32", "i32", "i32", "i32", "i32", "i32"]);
  const [a, b, c, rowPanels, colPanels, depth] = f.params as Local<"i32">[];
  const panelBytes = f.local("i32", i32.mul(depth!, PANEL_BYTES));
  const rowBytes = f.local("i32", i32.mul(colPanels!, PANEL_BYTES));
  const bEnd = f.local("i32", i32.add(b!, i32.mul(colPanels!, panelBytes)));
  const aEnd = f.local("i32", i32.add(a!, i32.mul(rowPanels!, panelBytes)));
  const pb = f.local("i32", b!);
  f.while(i32.lt_u(pb, bEnd), () => {
    const pa = f.local("i32", a!);
    const pc = f.local("i32", c!);
    f.while(i32.lt_u(pa, aEnd), () => {
      tile(f, pa, pb, panelBytes, pc, rowBytes);
    });
    f.set(pb, i32.add(pb, panelBytes));
    f.set(c!, i32.add(c!, PANEL_BYTES));
    f.free(pa, pc);
  });
  return f;
}

/** One 4×4 tile: advances `pa` to the next row panel and `pc` to its rows of C. */
function tile(
  f: Func,
  pa: Local<"i32">,
  pb: Local<"i32">,
  panelBytes: Local<"i32">,
  pc: Local<"i32">,
  rowBytes: Local<"i32">,
): void {
  const sums = Array.from({ length: TILE }, () => f.localArray("v128", TILE / 2));
  for (const sum of sums.flat()) f.set(sum, f64x2.const(0));
  const at = f.local("i32", pb);
  const end = f.local("i32", i32.add(pa, panelBytes));
  const [low, high] = f.localArray("v128", 2);
  const x = f.local("v128");
  f.doWhile(
    () => {
      f.set(low!, v128.load(at));
      f.set(high!, v128.load(at, 16));
      sums.forEach(([sumLow, sumHigh], row) => {
        f.set(x, v128.load64_splat(pa, row * 8));
        f.set(sumLow!, f64x2.add(sumLow!, f64x2.mul(x, low!)));
        f.set(sumHigh!, f64x2.add(sumHigh!, f64x2.mul(x, high!)));
      });
      f.set(at, i32.add(at, PANEL_BYTES));
      f.set(pa, i32.add(pa, PANEL_BYTES));
    },
    () => i32.lt_u(pa, end),
  );
  for (const [sumLow, sumHigh] of sums) {
    f.storeV128(pc, sumLow!);
    f.storeV128(pc, sumHigh!, 16);
    f.set(pc, i32.add(pc, rowBytes));
  }
  f.free(...sums.flat(), at, end, low!, high!, x);
}
