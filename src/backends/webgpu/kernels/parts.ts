import type { Value } from "../../../graph/index.js";
import { NonzeroError, Tensor } from "../../../tensor/index.js";
import { type Buffer, type DeviceInfo, type Lowering, largestBuffer } from "../kernel.js";

/** A constant in some order that a kernel wants, or rows of it; not made yet. */
export interface Form {
  readonly bytes: number;
  /** Writes it; the bytes start zeroed. */
  readonly fill: (target: Uint8Array) => void;
}

/** Rows `begin` to before `end` of a constant, and what is made of them. */
export interface Part<T> {
  readonly begin: number;
  readonly end: number;
  readonly made: T;
}

interface Made {
  readonly forms: Readonly<Record<string, Form>>;
}

/**
 * As few parts of a constant's rows as it takes for every form of each to be one buffer of the GPU's, whose first rows are multiples of
 * `together`: most often one with all rows.
 * @throws NonzeroError "device" where `together` rows alone are too many.
 */
export function inParts<T extends Made>(
  rows: number,
  together: number,
  device: DeviceInfo,
  make: (begin: number, end: number) => T,
): Part<T>[] {
  const most = largestBuffer(device);
  const cut = (begin: number, end: number): Part<T>[] => {
    const made = make(begin, end);
    const largest = Math.max(0, ...Object.values(made.forms).map(({ bytes }) => bytes));
    if (largest <= most) return [{ begin, end, made }];
    const units = Math.ceil((end - begin) / together);
    if (units <= 1) {
      const what = `${end - begin} rows of the weight take ${largest} bytes`;
      throw new NonzeroError("device", `${what}; the GPU's limit is ${most}`);
    }
    const pieces = Math.min(units, Math.ceil(largest / most));
    const each = Math.ceil(units / pieces) * together;
    const parts: Part<T>[] = [];
    for (let from = begin; from < end; from += each) parts.push(...cut(from, Math.min(end, from + each)));
    return parts;
  };
  return cut(0, rows);
}

/** Uploads a part's forms; `key` names what they are forms of. */
export function uploadPart<T extends Made>(
  to: Lowering,
  value: Value,
  key: string,
  { begin, end, made }: Part<T>,
  rows: number,
): { [Name in keyof T["forms"]]: Buffer } {
  const range = end - begin === rows ? "" : `/${begin}-${end}`;
  const uploaded = Object.entries(made.forms).map(([name, { bytes, fill }]) => [
    name,
    to.prepared(value, `${key}/${name}${range}`, Math.max(16, bytes), fill),
  ]);
  return Object.fromEntries(uploaded);
}

/** Rows of 4-byte elements of which any number fill whole multiples of 256 bytes, where bindings may begin. */
export const ALIGNED_ROWS = 64;

/** A dense constant's bytes, asked for when a form is made: one that is stored sparse is unpacked then, once. */
export function denseBytes(to: Lowering, value: Value): () => Uint8Array {
  let dense: Uint8Array | undefined;
  return () => {
    const constant = to.constant(value)!;
    dense ??= (constant instanceof Tensor ? constant : constant.toDense()).bytes();
    return dense;
  };
}

/** A dense constant seen as `rows` rows of `rowBytes` each, as it lies; those who cut it the same way share the parts' buffers. */
export function denseParts(
  to: Lowering,
  value: Value,
  [rows, rowBytes]: readonly [rows: number, rowBytes: number],
  together: number,
): (Part<unknown> & { readonly buffer: Buffer })[] {
  const bytes = denseBytes(to, value);
  const parts = inParts(rows, together, to.device, (begin, end) => ({
    forms: {
      rows: {
        bytes: (end - begin) * rowBytes,
        fill: (target) => target.set(bytes().subarray(begin * rowBytes, end * rowBytes)),
      },
    },
  }));
  return parts.map((part) => ({ ...part, buffer: uploadPart(to, value, "dense", part, rows).rows }));
}
