import { parseLayout, SparseTensor } from "../../layouts/index.js";
import { bitsOf, byteLengthOf, type DataType, NonzeroError, sizeOf, stridesOf, Tensor } from "../../tensor/index.js";

/** Entries of a tensor that keeps no others, by ascending row-major offset. */
export interface Coordinates {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  /** Row-major offset of each entry. */
  readonly offsets: Float64Array;
  /** [entries], of `dtype`. */
  readonly values: Tensor;
}

/** Elements that sparse tensors of one file may grow to in all, beyond so many for each of their entries. */
const FREE_GROWTH = 2 ** 24;
const GROWTH = 64;

/** What sparse tensors of one file may still grow to where they become dense or their rows get pointers. */
export class Growth {
  #left = FREE_GROWTH;

  /** @throws NonzeroError "unsupported" when `size` elements are out of proportion to what the file holds. */
  take(size: number, entries: number): void {
    this.#left -= Math.max(0, size - GROWTH * entries);
    if (this.#left >= 0) return;
    const reason = `${entries} entries are out of proportion to the ${size} elements that the tensor needs`;
    throw new NonzeroError("unsupported", reason, { field: "dims" });
  }
}

/** Whether a layout can hold the values of a dtype as they are. */
export const fitsLayouts = (dtype: DataType): boolean =>
  dtype === "float32" || dtype === "float16" || dtype === "bfloat16";

/** Entries as a csr constant under `perm`. @throws NonzeroError "unsupported" for more rows than the entries justify. */
export function toCsr(entries: Coordinates, perm: readonly number[], growth: Growth): SparseTensor {
  const { dtype, shape, offsets, values } = entries;
  const strides = stridesOf(shape);
  const dims = perm.map((axis) => shape[axis] as number);
  const [rows, cols] = [dims[0] as number, sizeOf(dims.slice(1))];
  growth.take(rows, offsets.length);
  const permuted = stridesOf(dims);
  const places = offsets.map((offset) =>
    perm.reduce((to, axis, i) => {
      const index = Math.floor(offset / (strides[axis] as number)) % (shape[axis] as number);
      return to + index * (permuted[i] as number);
    }, 0),
  );
  const order = Uint32Array.from(places.keys()).sort((a, b) => (places[a] as number) - (places[b] as number));
  const pointers = new Uint32Array(rows + 1);
  const columns = cols <= 65536 ? new Uint16Array(order.length) : new Uint32Array(order.length);
  const kept = new (values.data.constructor as Uint16ArrayConstructor)(order.length);
  order.forEach((from, to) => {
    const place = places[from] as number;
    const row = Math.floor(place / cols);
    pointers[row + 1] = (pointers[row + 1] as number) + 1;
    columns[to] = place - row * cols;
    kept[to] = (values.data as Uint16Array)[from] as number;
  });
  for (let row = 0; row < rows; row++) pointers[row + 1] = (pointers[row + 1] as number) + (pointers[row] as number);
  const parts = {
    crow_indices: new Tensor("uint32", [rows + 1], pointers),
    col_indices: new Tensor(cols <= 65536 ? "uint16" : "uint32", [order.length], columns),
    values: new Tensor(dtype, [order.length], kept),
  };
  const stored = { layout: "csr", rows, cols, dtype, parts };
  parseLayout("csr").validate(stored);
  return new SparseTensor(shape, perm, stored);
}

/** Entries as a dense tensor. @throws NonzeroError "unsupported" when that is out of proportion. */
export function fillDense({ dtype, shape, offsets, values }: Coordinates, growth: Growth): Tensor {
  const size = sizeOf(shape);
  growth.take(size, offsets.length);
  if (bitsOf(dtype) < 8) {
    throw new NonzeroError("unsupported", `sparse tensors of ${dtype} are not supported`, { field: "values" });
  }
  const dense = Tensor.zeros(dtype, shape);
  const width = byteLengthOf(dtype, 1);
  const to = dense.bytes();
  const from = values.bytes();
  offsets.forEach((offset, i) => {
    to.set(from.subarray(i * width, (i + 1) * width), offset * width);
  });
  return dense;
}

/** The stored entries of a sparse constant, of any layout; entries that it stores as zero stay. */
export function toCoordinates(tensor: SparseTensor): Coordinates {
  const { shape, perm, stored, dtype } = tensor;
  const layout = parseLayout(stored.layout);
  const strides = stridesOf(shape);
  const dims = perm.map((axis) => shape[axis] as number);
  const numbers = stored.parts.values?.numbers() as ArrayLike<number>;
  const scales = stored.parts.scales?.numbers();
  const found: { offset: number; value: number }[] = [];
  layout.visit(stored, (row, col, index) => {
    let offset = row * (strides[perm[0] as number] as number);
    for (let i = perm.length - 1, rest = col; i > 0; i--) {
      offset += (rest % (dims[i] as number)) * (strides[perm[i] as number] as number);
      rest = Math.floor(rest / (dims[i] as number));
    }
    found.push({ offset, value: (numbers[index] as number) * (scales?.[row] ?? 1) });
  });
  found.sort((a, b) => a.offset - b.offset);
  return {
    dtype,
    shape,
    offsets: Float64Array.from(found, (entry) => entry.offset),
    values: Tensor.from(
      dtype,
      [found.length],
      found.map((entry) => entry.value),
    ),
  };
}
