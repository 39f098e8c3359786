import { type DataType, NonzeroError, Tensor } from "../tensor/index.js";

/**
 * PyTorch's CUTLASS encoding of semi-structured matrices, the `packed` and `meta` of `SparseSemiStructuredTensorCUTLASS`.
 * For float16, bfloat16 and int8 two of four columns are kept, for float32 one of two. `packed` [rows, cols / 2] holds the kept
 * values in row order. `meta` holds a 4-bit code for each group (idx0 | idx1 << 2; a float32 pair counts as four half columns),
 * four to an int16 or, for int8, eight to an int32, the first in the lowest bits, and these words in CUTLASS's order "column-major
 * interleaved by 2", which `wordOffset` computes; its shape [rows, words] only says how many there are.
 */
export interface Cutlass {
  readonly packed: Tensor;
  readonly meta: Tensor;
}

interface Format {
  /** What must divide rows and columns. */
  readonly rows: number;
  readonly cols: number;
  /** Columns of a group: 4, or 2 for float32. */
  readonly group: number;
  readonly meta: "int16" | "int32";
  /** Codes in a word of `meta`. */
  readonly codes: number;
  /** Rows among which `wordOffset` permutes. */
  readonly band: number;
  /** The bits of an element that are not its sign, so that -0 counts as zero. */
  readonly magnitude: number;
}

const HALF: Format = { rows: 32, cols: 64, group: 4, meta: "int16", codes: 4, band: 32, magnitude: 0x7fff };
const FORMATS: Partial<Record<DataType, Format>> = {
  float16: HALF,
  bfloat16: HALF,
  float32: { rows: 32, cols: 32, group: 2, meta: "int16", codes: 4, band: 32, magnitude: 0x7fffffff },
  int8: { rows: 16, cols: 128, group: 4, meta: "int32", codes: 8, band: 16, magnitude: 0xff },
};

/**
 * Encodes a dense tensor [rows, cols] bit for bit as PyTorch's `to_sparse_semi_structured` does with CUTLASS. NaN counts as
 * nonzero, -0 as zero. A group that keeps too many entries is an error; with `lossy` it keeps its first ones, as PyTorch does.
 * @throws NonzeroError with PyTorch's words: "layout" for a dtype or a group that does not fit; "shape" for the rank, or rows and
 * columns that are not a multiple of 32 × 64 (float16, bfloat16), 16 × 128 (int8), 32 × 32 (float32).
 */
export function toCutlass(dense: Tensor, options: { readonly lossy?: boolean } = {}): Cutlass {
  const format = formatOf(dense, "original_tensor");
  const [rows, cols] = dense.shape as [number, number];
  const fits = rows > 0 && cols > 0 && rows % format.rows === 0 && cols % format.cols === 0;
  if (!fits) throw shapeError(rows, cols, format);
  const { group, codes } = format;
  const from = elements(dense);
  const packed = Tensor.zeros(dense.dtype, [rows, cols / 2]);
  const to = elements(packed);
  const groups = cols / group;
  const words = groups / codes;
  const meta = Tensor.zeros(format.meta, [rows, words]);
  const metaWords = meta.data as Int16Array | Int32Array;
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const start = row * cols + g * group;
      const bits = nonzeroBits(from, start, format);
      if (options.lossy !== true && tooMany(bits, format)) {
        const kept = group === 2 ? "1 of 2" : "2 of 4";
        throw new NonzeroError(
          "layout",
          `row ${row}, columns ${g * group} to ${(g + 1) * group - 1} keep more than ${kept}`,
        );
      }
      const code = codeOf(bits);
      const at = (row * cols) / 2 + (g * group) / 2;
      if (group === 2) to[at] = from[start + ((code & 3) >> 1)]!;
      else {
        to[at] = from[start + (code & 3)]!;
        to[at + 1] = from[start + (code >> 2)]!;
      }
      const word = wordOffset(row, Math.floor(g / codes), rows, format.band);
      metaWords[word] = metaWords[word]! | (code << (4 * (g % codes)));
    }
  }
  return { packed, meta };
}

/**
 * The dense tensor of a CUTLASS encoding; dtype as `packed`.
 * @throws NonzeroError "invalid-model" for shapes, dtypes or codes that `toCutlass` would not make; "layout" for another dtype.
 */
export function fromCutlass({ packed, meta }: Cutlass): Tensor {
  const format = formatOf(packed, "packed");
  const { group, codes } = format;
  const [rows, half] = packed.shape as [number, number];
  const cols = 2 * half;
  if (rows % format.rows !== 0 || cols % format.cols !== 0) {
    throw invalid("packed", `shape [${packed.shape}] is not of multiples of ${format.rows} and ${format.cols / 2}`);
  }
  if (meta.dtype !== format.meta)
    throw invalid("meta", `expected ${format.meta} for ${packed.dtype} values, not ${meta.dtype}`);
  const groups = cols / group;
  const words = groups / codes;
  if (meta.shape.length !== 2 || meta.shape[0] !== rows || meta.shape[1] !== words) {
    throw invalid("meta", `expected shape [${rows},${words}], not [${meta.shape}]`);
  }
  const dense = Tensor.zeros(packed.dtype, [rows, cols]);
  const from = elements(packed);
  const to = elements(dense);
  const metaWords = meta.data as Int16Array | Int32Array;
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const word = metaWords[wordOffset(row, Math.floor(g / codes), rows, format.band)]!;
      const code = (word >> (4 * (g % codes))) & 15;
      if (!legal(code, format))
        throw invalid("meta", `row ${row}, group ${g}: ${code} is not a code of ${packed.dtype}`);
      const start = row * cols + g * group;
      const at = (row * cols) / 2 + (g * group) / 2;
      if (group === 2) to[start + ((code & 3) >> 1)] = from[at]!;
      else {
        to[start + (code & 3)] = from[at]!;
        to[start + (code >> 2)] = from[at + 1]!;
      }
    }
  }
  return dense;
}

/**
 * Where CUTLASS puts the word of (row, column): pairs of word columns one after another; in a pair the rows of each band of 32
 * (16 for int8) taken eighth by eighth, and every 2 × 2 block of the result transposed.
 */
function wordOffset(row: number, column: number, rows: number, band: number): number {
  const inBand = row % band;
  const permuted = (inBand % 8) * (band / 8) + Math.floor(inBand / 8);
  const [d, c] = [(permuted & ~1) | (column & 1), permuted & 1];
  return (column >> 1) * 2 * rows + (row - inBand) * 2 + 2 * d + c;
}

/** Four bits, the first column lowest: which are nonzero. A float32 counts for two columns. */
function nonzeroBits(elements: Elements, start: number, { group, magnitude }: Format): number {
  let bits = 0;
  for (let i = 0; i < 4; i++) {
    const element = elements[start + Math.floor((i * group) / 4)]!;
    if ((element & magnitude) !== 0) bits |= 1 << i;
  }
  return bits;
}

/** Bits to code: the first kept column is 0, 1 or 2, the second the next that is kept, or 2 or 3 where none is. */
function codeOf(bits: number): number {
  const [m0, m1, m3] = [bits & 1, (bits >> 1) & 1, bits >> 3];
  const low0 = (1 - m0) & m1;
  const high0 = (1 - m0) & (1 - m1);
  const low1 = (m0 & m1) | high0 | m3;
  const high1 = low0 | (1 - m1);
  return low0 | (high0 << 1) | (low1 << 2) | (high1 << 3);
}

const tooMany = (bits: number, { group }: Format): boolean =>
  group === 2 ? bits === 15 : bits === 7 || bits === 11 || bits >= 13;

const legal = (code: number, { group }: Format): boolean =>
  group === 2 ? code === 4 || code === 14 : (code & 3) < code >> 2;

type Elements = Int8Array | Uint16Array | Uint32Array;

/** The raw elements, so that they are copied bit for bit. */
function elements(tensor: Tensor): Elements {
  if (tensor.dtype !== "float32") return tensor.data as Int8Array | Uint16Array;
  const { buffer, byteOffset, length } = tensor.data as Float32Array;
  return new Uint32Array(buffer, byteOffset, length);
}

function formatOf(tensor: Tensor, name: string): Format {
  if (tensor.shape.length !== 2) {
    throw new NonzeroError(
      "shape",
      `Error ${name}.dim = ${tensor.shape.length} is not supported: only 2-D tensors are`,
    );
  }
  const format = FORMATS[tensor.dtype];
  if (format === undefined) {
    const known = Object.keys(FORMATS).join(", ");
    throw new NonzeroError("layout", `Error ${name}.dtype ${tensor.dtype} is not a supported dtype: ${known} are`);
  }
  return format;
}

function shapeError(rows: number, cols: number, format: Format): NonzeroError {
  const needed = `both dimensions must be a positive multiple of ${format.rows} and ${format.cols}`;
  return new NonzeroError("shape", `Error original_tensor.shape [${rows},${cols}] is not supported: ${needed}`);
}

const invalid = (field: string, reason: string): NonzeroError => new NonzeroError("invalid-model", reason, { field });
