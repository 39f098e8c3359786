import type { ElementCode } from "./elements.js";
import { tableBytes } from "./tables.js";

/** Columns of a unit: 16 tiles side by side. */
export const UNIT = 64;

/** Rows of a band: a column's values of a band are four lines of 64 bytes in float32, two in the others. */
export const BAND = 128;

/** Columns whose values are staged before they are written out. */
export const PANEL = 512;

/** Side of a chunk, at most: 512 entries are 64 bytes of codes, so that no two threads write to one cache line of them. */
export const CHUNK = 512;

/** Bytes of codes of a unit's strips. */
export const UNIT_CODES = (CHUNK / 4) * UNIT;

export const lineBytesOf = ({ bytes }: ElementCode): number => (BAND / 2) * bytes;

/**
 * A thread's scratch, in bytes. 16 places × 16 tiles in four groups of four, the same number of vectors for their order, 16 masks of 32 bits; one
 * unit's input and outputs where it lies over the matrix's edge; what a unit's comparisons say, and the places of its rows in the tables; how many
 * units to sort without comparing; a code for each column of a chunk's tiles, [units, strips, 4, 16]; a line of transposed values for each
 * column of a panel; tables.
 */
export const SCRATCH = {
  tiles: 0,
  order: 1024,
  masks: 2048,
  edgeX: 2112,
  edgePacked: 3136,
  edgeMeta: 3648,
  edgeMask: 3680,
  turned: 3712,
  less: 3968,
  places: 4064,
  patience: 4128,
  codes: 4160,
  lines: 4160 + (CHUNK / UNIT) * UNIT_CODES,
} as const;

export const tableAt = (element: ElementCode): number => SCRATCH.lines + PANEL * lineBytesOf(element);

export const scratchBytes = (element: ElementCode): number => tableAt(element) + tableBytes(element);
