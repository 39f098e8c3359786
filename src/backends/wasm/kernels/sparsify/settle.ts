import { type Func, i16x8, i32x4, type Local, type V128, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { LESS } from "./compare.js";
import { lookUpBytes } from "./relaxed.js";

type Vector = Local<"v128">;
type Halves<T> = readonly [T, T];

const words = (bits: number): V128 => i32x4.const(bits | (bits << 16));

/** Of bits for columns 0 and 1 of two rows, those of all columns: 2 and 3 are the opposite. */
const BOTH_SIDES = v128.const(
  Array.from({ length: 16 }, (_, two) => {
    const row = (bits: number): number => bits | ((~bits & 3) << 2);
    return row(two & 3) | (row(two >> 2) << 4);
  }),
);

/** Which entries are less than another, as the bits of `LESS.right`; those of a row in two parts, by whether the other is `across` the row's end. */
interface Lesser {
  readonly within: Halves<readonly [Vector, Vector, Vector]>;
  readonly across: Halves<readonly [Vector, Vector, Vector]>;
  /** Less than the entry one, two and three rows below. Two below the lower rows is the opposite of two below the upper. */
  readonly one: Halves<Vector>;
  readonly two: Vector;
  readonly three: Halves<Vector>;
}

/**
 * Sets `low` and `high` to what 16 tiles keep, eight bits each, from comparisons that leave no ties. An entry is kept unless two that are kept in its
 * row, or in its column, are greater. Taking all for kept drops too many; then taking the others for kept drops too few; and so on, by turns,
 * until nothing changes: each round settles at least the largest that was open, four rounds settle most tiles.
 */
export function settle(f: Func, device: DeviceInfo, scratch: Local<"i32">, low: Vector, high: Vector): void {
  const less = readLesser(f, device, scratch);
  const dropped = f.localArray("v128", 2) as unknown as Halves<Vector>;
  const before = f.localArray("v128", 2) as unknown as Halves<Vector>;
  dropFirst(f, less, before);
  drop(f, less, before, dropped);
  drop(f, less, dropped, before);
  f.set(dropped[0], before[0]);
  f.set(dropped[1], before[1]);
  f.doWhile(
    () => {
      f.set(before[0], dropped[0]);
      f.set(before[1], dropped[1]);
      drop(f, less, before, dropped);
    },
    () => v128.any_true(v128.or(v128.xor(dropped[0], before[0]), v128.xor(dropped[1], before[1]))),
  );
  [low, high].forEach((half, i) => {
    f.set(half, v128.not(dropped[i]!));
    // From two rows of two tiles to two tiles of two rows.
    const turned = v128.or(v128.and(i16x8.shr_u(half, 4), words(0x00f0)), v128.and(i16x8.shl(half, 4), words(0x0f00)));
    f.set(half, v128.or(v128.and(half, words(0xf00f)), turned));
  });
  f.free(...dropped, ...before, ...less.within.flat(), ...less.across.flat(), ...less.one, less.two, ...less.three);
}

function readLesser(f: Func, device: DeviceInfo, scratch: Local<"i32">): Lesser {
  const lookUp = lookUpBytes(device);
  const read = (at: number): Vector => f.local("v128", v128.load(scratch, at));
  const pairs = read(LESS.twoRight);
  const inRows = ([0, 1] as const).map((half) => {
    const right = read(LESS.right[half]);
    // A byte for each two pairs, in the low four bits.
    const four =
      half === 0
        ? v128.or(v128.and(pairs, words(0x000f)), v128.and(i16x8.shl(pairs, 4), words(0x0f00)))
        : v128.or(i16x8.shr_u(v128.and(pairs, words(0x0f00)), 8), v128.and(i16x8.shr_u(pairs, 4), words(0x0f00)));
    const two = f.local("v128", lookUp(BOTH_SIDES, four));
    const within = [
      f.local("v128", v128.and(right, words(0x7777))),
      f.local("v128", v128.and(two, words(0x3333))),
      f.local("v128", v128.andnot(words(0x1111), i16x8.shr_u(right, 3))),
    ] as const;
    const across = [
      f.local("v128", v128.and(right, words(0x8888))),
      f.local("v128", v128.and(two, words(0xcccc))),
      f.local("v128", v128.andnot(words(0xeeee), i16x8.shl(right, 1))),
    ] as const;
    f.free(right, two);
    return { within, across };
  });
  f.free(pairs);
  const one = [read(LESS.below[0]), read(LESS.below[1])] as const;
  const three = [
    f.local("v128", v128.not(nextRows(one[1], one[0]))),
    f.local("v128", v128.not(nextRows(one[0], one[1]))),
  ] as const;
  return {
    within: [inRows[0]!.within, inRows[1]!.within],
    across: [inRows[0]!.across, inRows[1]!.across],
    one,
    two: read(LESS.twoBelow),
    three,
  };
}

/** The second row of `a` and the first of `b`. */
const nextRows = (a: V128, b: V128): V128 => v128.or(i16x8.shr_u(a, 8), i16x8.shl(b, 8));

/** Sets `to` to where two of three are 1, or adds that to it. */
function twoOf(f: Func, to: Vector, [a, b, c]: readonly [Vector, Vector, Vector], add: boolean): void {
  const both = v128.or(v128.and(a, b), v128.and(c, v128.or(a, b)));
  f.set(to, add ? v128.or(to, both) : both);
}

/** Drops what two in its row or in its column are greater than. */
function dropFirst(f: Func, less: Lesser, to: Halves<Vector>): void {
  const terms = f.localArray("v128", 3) as [Vector, Vector, Vector];
  to.forEach((half, i) => {
    terms.forEach((term, k) => {
      f.set(term, v128.or(less.within[i]![k]!, less.across[i]![k]!));
    });
    twoOf(f, half, terms, false);
    f.set(terms[0], less.one[i]!);
    f.set(terms[1], i === 0 ? less.two : v128.not(less.two));
    f.set(terms[2], less.three[i]!);
    twoOf(f, half, terms, true);
  });
  f.free(...terms);
}

/** Drops what two in its row or in its column are greater than that `dropped` leaves. */
function drop(f: Func, less: Lesser, dropped: Halves<Vector>, to: Halves<Vector>): void {
  const terms = f.localArray("v128", 3) as [Vector, Vector, Vector];
  const next = [
    f.local("v128", nextRows(dropped[0], dropped[1])),
    f.local("v128", nextRows(dropped[1], dropped[0])),
  ] as const;
  to.forEach((half, i) => {
    const here = dropped[i]!;
    terms.forEach((term, k) => {
      const within = v128.andnot(less.within[i]![k]!, i16x8.shr_u(here, k + 1));
      f.set(term, v128.or(within, v128.andnot(less.across[i]![k]!, i16x8.shl(here, 3 - k))));
    });
    twoOf(f, half, terms, false);
    f.set(terms[0], v128.andnot(less.one[i]!, next[i]!));
    f.set(terms[1], i === 0 ? v128.andnot(less.two, dropped[1]) : v128.not(v128.or(less.two, dropped[0])));
    f.set(terms[2], v128.andnot(less.three[i]!, next[1 - i]!));
    twoOf(f, half, terms, true);
  });
  f.free(...terms, ...next);
}
