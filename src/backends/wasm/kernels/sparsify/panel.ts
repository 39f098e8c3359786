import type { Selection } from "../../../specs/sparsify.js";
import { type Func, i32, type Local } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import type { ElementCode } from "./elements.js";
import { lineBytesOf, SCRATCH, UNIT, UNIT_CODES } from "./scratch.js";
import { sparsifyUnit, type UnitPlaces } from "./unit.js";

type Int = Local<"i32">;

/** The matrix [rows, cols], its results, and the thread's scratch. */
export interface SparsifyArguments {
  readonly x: Int;
  readonly rows: Int;
  readonly cols: Int;
  readonly packed: Int;
  readonly meta: Int;
  readonly packedT: Int;
  readonly metaT: Int;
  readonly mask: Int;
  readonly scratch: Int;
  /** See `writeTables`. */
  readonly table: Int;
}

/** A part of the matrix: `height` rows, at most a band, of `width` columns, at most a panel. */
export interface Panel {
  readonly row: Int;
  readonly col: Int;
  readonly height: Int;
  readonly width: Int;
  /** Where codes of its first unit go. */
  readonly codes: Int;
}

/** Sparsifies a panel along its rows; what belongs to its columns is staged. */
export function sparsifyPanel(
  f: Func,
  device: DeviceInfo,
  element: ElementCode,
  selection: Selection,
  a: SparsifyArguments,
  panel: Panel,
): void {
  const { bytes } = element;
  const lineBytes = lineBytesOf(element);
  const xStride = f.local("i32", i32.mul(a.cols, bytes));
  const packedStride = f.local("i32", i32.mul(a.cols, bytes / 2));
  const metaStride = f.local("i32", i32.shr_u(i32.add(a.cols, 7), 3));
  const maskStride = f.local("i32", i32.shr_u(a.cols, 1));
  f.for(0, panel.height, 4, (strip) => {
    const row = f.local("i32", i32.add(panel.row, strip));
    const at = (base: Int, rowOffset: ReturnType<typeof i32.mul>, colOffset: ReturnType<typeof i32.mul>): Int =>
      f.local("i32", i32.add(base, i32.add(rowOffset, colOffset)));
    const places = {
      x: at(a.x, i32.mul(row, xStride), i32.mul(panel.col, bytes)),
      packed: at(a.packed, i32.mul(row, packedStride), i32.mul(panel.col, bytes / 2)),
      meta: at(a.meta, i32.mul(row, metaStride), i32.shr_u(panel.col, 3)),
      mask: at(a.mask, i32.mul(i32.shr_u(row, 2), maskStride), i32.shr_u(panel.col, 1)),
      lines: at(a.scratch, i32.const(SCRATCH.lines), i32.mul(strip, bytes / 2)),
      codes: at(panel.codes, i32.shl(strip, 4), i32.const(0)),
    };
    const left = f.local("i32", panel.width);
    f.doWhile(
      () => {
        withinEdge(f, element, selection, a.scratch, left, { ...places, xStride, packedStride, metaStride }, (unit) =>
          sparsifyUnit(f, device, element, selection, a.scratch, { ...unit, lineBytes, table: a.table }),
        );
        f.increment(places.x, UNIT * bytes);
        f.increment(places.packed, (UNIT / 2) * bytes);
        f.increment(places.meta, UNIT / 8);
        f.increment(places.mask, UNIT / 2);
        f.increment(places.lines, UNIT * lineBytes);
        f.increment(places.codes, UNIT_CODES);
        f.increment(left, -UNIT);
      },
      () => i32.gt_s(left, 0),
    );
    f.free(row, left, ...Object.values(places));
  });
  f.free(xStride, packedStride, metaStride, maskStride);
}

/** Lets `body` work on a unit; where the matrix has only `left` of its columns, on a copy in the scratch that is zero beyond them. */
function withinEdge(
  f: Func,
  { bytes }: ElementCode,
  selection: Selection,
  scratch: Int,
  left: Int,
  whole: Omit<UnitPlaces, "lineBytes" | "table">,
  body: (unit: Omit<UnitPlaces, "lineBytes" | "table">) => void,
): void {
  const edge = {
    x: [SCRATCH.edgeX, UNIT * bytes],
    packed: [SCRATCH.edgePacked, (UNIT / 2) * bytes],
    meta: [SCRATCH.edgeMeta, UNIT / 8],
  } as const;
  const inside = f.local("i32", i32.lt_s(left, UNIT));
  const [x, xStride] = [f.local("i32", whole.x), f.local("i32", whole.xStride)];
  const [packed, packedStride] = [f.local("i32", whole.packed), f.local("i32", whole.packedStride)];
  const [meta, metaStride] = [f.local("i32", whole.meta), f.local("i32", whole.metaStride)];
  const mask = f.local("i32", whole.mask);
  const maskBytes = f.local("i32", i32.shr_u(left, 1));
  f.if(inside, () => {
    const length = f.local("i32", i32.mul(left, bytes));
    f.set(x, i32.add(scratch, SCRATCH.edgeX));
    f.memoryFill(x, 0, 4 * UNIT * bytes);
    eachRow(f, [x, edge.x[1]], [whole.x, whole.xStride], (to, from) => f.memoryCopy(to, from, length));
    f.set(xStride, edge.x[1]);
    f.set(packed, i32.add(scratch, SCRATCH.edgePacked));
    f.set(packedStride, edge.packed[1]);
    f.set(meta, i32.add(scratch, SCRATCH.edgeMeta));
    f.set(metaStride, edge.meta[1]);
    f.set(mask, i32.add(scratch, SCRATCH.edgeMask));
    if (selection === "given") {
      f.memoryFill(mask, 0, UNIT / 2);
      f.memoryCopy(mask, whole.mask, maskBytes);
    }
    f.free(length);
  });
  body({ ...whole, x, xStride, packed, packedStride, meta, metaStride, mask });
  f.if(inside, () => {
    const length = f.local("i32", i32.mul(left, bytes / 2));
    eachRow(f, [packed, edge.packed[1]], [whole.packed, whole.packedStride], (from, to) =>
      f.memoryCopy(to, from, length),
    );
    if (selection === "given") {
      f.free(length);
      return;
    }
    // An odd number of groups leaves the upper half of the last byte 0.
    f.set(length, i32.shr_u(i32.add(left, 7), 3));
    eachRow(f, [meta, edge.meta[1]], [whole.meta, whole.metaStride], (from, to) => {
      const last = f.local("i32", i32.add(from, i32.sub(length, 1)));
      f.if(i32.and(left, 4), () => f.storeI32_8(last, i32.and(i32.load8_u(last), 15)));
      f.memoryCopy(to, from, length);
      f.free(last);
    });
    f.memoryCopy(whole.mask, mask, maskBytes);
    f.free(length);
  });
  f.free(inside, x, xStride, packed, packedStride, meta, metaStride, mask, maskBytes);
}

function eachRow(
  f: Func,
  [a, aStride]: readonly [Int, number],
  [b, bStride]: readonly [Int, Int],
  body: (a: Int, b: Int) => void,
): void {
  const [p, q] = [f.local("i32", a), f.local("i32", b)];
  for (let row = 0; row < 4; row++) {
    body(p, q);
    f.increment(p, aStride);
    f.increment(q, bStride);
  }
  f.free(p, q);
}
