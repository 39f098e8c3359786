import type { Value } from "../../../../graph/index.js";
import { groupedParts, groupsOf, type SparseTensor } from "../../../../layouts/index.js";
import { quantizedForm } from "../../../specs/quantized/form.js";
import type { Buffer, Lowering } from "../../kernel.js";

/** Rows of codes are followed by others up to a multiple of this, so that every tile is whole. */
export const ROWS = 24;

/**
 * A quantized weight in memory. Codes are unsigned: int8 values as value + 128, a byte each, rows padded to 16 bytes; 4-bit codes two to a byte, the lower
 * first, rows padded to 16 bytes (32 codes). Scales and zero points are float32, [rows, groups], or [rows] alone.
 */
export interface Packed {
  readonly codes: Buffer;
  /** Bytes of a row of codes. */
  readonly rowBytes: number;
  readonly scales: Buffer;
  /** Zero points in codes; the scales' buffer where there are none. */
  readonly zeros: Buffer;
  /** Scales of a row. */
  readonly groups: number;
}

/** The weight as the kernels read it, once a session. */
export function packedWeight(weight: Value, to: Pick<Lowering, "constant" | "prepared">): Packed {
  const { stored } = to.constant(weight) as SparseTensor;
  const { bits, group, zeroPoints } = quantizedForm(stored)!;
  const { rows, cols, parts } = stored;
  const rowBytes = bits === 8 ? Math.ceil(cols / 16) * 16 : Math.ceil(cols / 32) * 16;
  const padded = Math.ceil(rows / ROWS) * ROWS;
  const codes = to.prepared(weight, "quantized/codes", padded * rowBytes, (target) => {
    target.fill(bits === 8 ? 128 : 0x88);
    const levels = parts.values!.numbers();
    const shift = group === null ? 128 : 0;
    for (let row = 0; row < rows; row++) {
      const [at, from] = [row * rowBytes, row * cols];
      if (bits === 8) for (let k = 0; k < cols; k++) target[at + k] = levels[from + k]! + shift;
      else {
        for (let k = 0; k < cols; k += 2) {
          const high = k + 1 < cols ? levels[from + k + 1]! : 8;
          target[at + (k >> 1)] = levels[from + k]! | (high << 4);
        }
      }
    }
  });
  const floats = (name: string, each: number, fill: (into: Float32Array) => void): Buffer =>
    to.prepared(weight, `quantized/${name}`, padded * each * 4, (target) =>
      fill(new Float32Array(target.buffer, target.byteOffset, padded * each)),
    );
  if (group === null) {
    const scales = floats("scales", 1, (into) => into.set(parts.scales!.data as Float32Array));
    return { codes, rowBytes, scales, zeros: scales, groups: 1 };
  }
  const groups = groupsOf(cols, group);
  const scales = floats("scales", groups, (into) => into.set(parts.scales!.data as Float32Array));
  if (!zeroPoints) return { codes, rowBytes, scales, zeros: scales, groups };
  const zeros = floats("zeros", groups, (into) => {
    const { zeroPointOf } = groupedParts(stored);
    for (let i = 0; i < rows * groups; i++) into[i] = zeroPointOf(i);
  });
  return { codes, rowBytes, scales, zeros, groups };
}
