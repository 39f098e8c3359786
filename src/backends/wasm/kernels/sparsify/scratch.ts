/** Columns of a unit: 16 tiles side by side. */
export const UNIT = 64;

/** Rows of a band: a column's values of a band are one line of 64 bytes in float32. */
export const BAND = 32;

/** Columns whose lines are staged before they are written out. */
export const PANEL = 512;

/**
 * A thread's scratch, in bytes. 16 places × 16 tiles in four groups of four, the same number of vectors for their order, 16 masks of 32 bits; one
 * unit's input and outputs where it lies over the matrix's edge; a code for each tile column of a panel, [units, strips, 4, 16]; a line of
 * transposed values for each column of a panel.
 */
export const SCRATCH = {
  tiles: 0,
  order: 1024,
  masks: 2048,
  edgeX: 2112,
  edgePacked: 3136,
  edgeMeta: 3648,
  edgeMask: 3680,
  edgeTurned: 3712,
  codes: 3776,
  lines: 3776 + 8 * PANEL,
} as const;

/** Bytes of codes of a unit's eight strips. */
export const UNIT_CODES = 512;

export const scratchBytes = (lineBytes: number): number => SCRATCH.lines + PANEL * lineBytes;
