import type { Tile } from "./tiling.js";

type Step = Pick<Tile, "depth" | "rolled">;

/**
 * Vectors from one line of a step in workgroup memory to the next: one more than a line has, so that threads that write to the
 * same place of neighbouring lines write to different banks. A CPU has no banks.
 */
export const linePitch = ({ rolled }: Step, length: number): number => length / 4 + (rolled ? 0 : 1);

/** Vectors of all lines of a step, one for each k. */
export const lineVectors = (step: Step, length: number): number => step.depth * linePitch(step, length);

/** The line of a k. Four neighbouring k, which a thread that transposes has, are far from each other: its neighbours' are between. */
export const lineOf = ({ depth, rolled }: Step, k: number): number =>
  rolled ? k : (k % 4) * (depth / 4) + Math.floor(k / 4);
