import { applyMask, checkSameShape, type Mask, type Matrix } from "../sparsity/index.js";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { checkCommon } from "./check.js";
import type { EncodeOptions, Footprint, Layout, Stored } from "./layout.js";
import { quantizeRows, unitScales } from "./quantize.js";

/** What `pack` makes of a matrix: the index parts in order, and the values before they are rounded to their dtype. */
export interface Packed {
  readonly indices: Readonly<Record<string, Tensor>>;
  /** Shape of the part `values`. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** What tells one layout from another; `defineLayout` adds the rest. */
export interface LayoutDefinition {
  readonly name: string;
  readonly text: string;
  /** The index parts, in order; `values` and `scales` follow. */
  readonly indices: readonly string[];
  misfit(mask: Mask): string | null;
  footprint(mask: Mask): Footprint;
  /** `kept` is the matrix with zeros where the mask has zeros. The mask fits. */
  pack(kept: Matrix, mask: Mask): Packed;
  visit(stored: Stored, visit: (row: number, col: number, index: number) => void): void;
  /** The part of `validate` that is the layout's own; matrix shape, part names and value dtypes have been checked. */
  check(stored: Stored): void;
}

/** A layout from its definition: value dtypes, int8 scales and decoding are the same for all. */
export function defineLayout(definition: LayoutDefinition): Layout {
  const { name, text, misfit, footprint, visit } = definition;
  return {
    name,
    text,
    parts: [...definition.indices, "values", "scales"],
    misfit,
    footprint,
    visit,
    encode(dense: Matrix, mask: Mask, options: EncodeOptions = {}): Stored {
      checkSameShape(dense, mask);
      const reason = misfit(mask);
      if (reason !== null) throw new NonzeroError("layout", `${text}: ${reason}`);
      const { values = "float32", dtype = "float32" } = options;
      const kept = applyMask(dense, mask);
      const scales = values !== "int8" ? null : dtype === "int8" ? unitScales(kept) : quantizeRows(kept);
      const packed = definition.pack(kept, mask);
      const parts = {
        ...packed.indices,
        values: Tensor.from(values, packed.shape, packed.values),
        ...(scales === null ? {} : { scales: new Tensor("float32", [dense.rows], scales) }),
      };
      return { layout: text, rows: dense.rows, cols: dense.cols, dtype, parts };
    },
    decode(stored: Stored): Matrix {
      const { rows, cols } = stored;
      const data = new Float32Array(rows * cols);
      const values = stored.parts.values!.numbers();
      const scales = stored.parts.scales?.data as Float32Array | undefined;
      if (scales === undefined) {
        visit(stored, (row, col, index) => {
          data[row * cols + col] = values[index]!;
        });
      } else {
        visit(stored, (row, col, index) => {
          data[row * cols + col] = values[index]! * scales[row]!;
        });
      }
      return { rows, cols, data };
    },
    validate(stored: Stored): void {
      checkCommon(stored, text, definition.indices);
      definition.check(stored);
    },
  };
}
