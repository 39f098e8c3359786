import { NonzeroError } from "../../tensor/index.js";
import type { TensorProto } from "./onnx_pb.js";

/** A file of tensor data that is read by range. `read` returns exactly `length` bytes. */
export interface DataFile {
  /** Bytes in the file. */
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

/** Finds the data that a model keeps outside its file, by the location that the model gives, relative to its folder. */
export type ExternalData = (location: string) => Uint8Array | DataFile;

/** Bytes of a tensor with `data_location` EXTERNAL, `byteLength` of them. @throws NonzeroError "invalid-model" or "not-found". */
export function readExternal(
  tensor: TensorProto,
  byteLength: number,
  externalData: ExternalData | undefined,
): Uint8Array {
  const field = "external_data";
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location");
  if (location === undefined) throw new NonzeroError("invalid-model", "the location is missing", { field });
  checkLocation(location);
  const offset = integerOf(entries.get("offset"), "offset") ?? 0;
  const length = integerOf(entries.get("length"), "length") ?? byteLength;
  if (length !== byteLength) {
    throw new NonzeroError("invalid-model", `its dims and dtype take ${byteLength} bytes, not ${length}`, { field });
  }
  if (externalData === undefined) {
    throw new NonzeroError("not-found", `the data is in '${location}', which was not given`, { field });
  }
  const source = externalData(location);
  const file = source instanceof Uint8Array ? fileOver(source) : source;
  if (offset + length > file.size) {
    const range = `bytes ${offset} to ${offset + length}`;
    throw new NonzeroError("invalid-model", `'${location}' has ${file.size} bytes, the tensor is at ${range}`, {
      field,
    });
  }
  return file.read(offset, length);
}

/** Files may be read so many times over by tensors that overlap. */
const OVERLAP = 2;

/** The same data, each range read once: tensors that share a range share its bytes, and overlaps cannot multiply what a file holds. */
export function readOnce(externalData: ExternalData): ExternalData {
  const files = new Map<string, DataFile>();
  return (location) => {
    const known = files.get(location);
    if (known !== undefined) return known;
    const file = externalData(location);
    if (file instanceof Uint8Array) return file;
    const ranges = new Map<string, Uint8Array>();
    let total = 0;
    const once: DataFile = {
      size: file.size,
      read(offset, length) {
        const key = `${offset}+${length}`;
        let bytes = ranges.get(key);
        if (bytes !== undefined) return bytes;
        total += length;
        if (total > OVERLAP * file.size) {
          const reason = `tensors overlap so much that they read '${location}' more than ${OVERLAP} times`;
          throw new NonzeroError("unsupported", reason, { field: "external_data" });
        }
        bytes = file.read(offset, length);
        ranges.set(key, bytes);
        return bytes;
      },
    };
    files.set(location, once);
    return once;
  };
}

const fileOver = (bytes: Uint8Array): DataFile => ({
  size: bytes.byteLength,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

/**
 * Refuses locations that could name something outside the model's folder: absolute paths, `..`, drive letters, backslashes.
 * @throws NonzeroError "invalid-model".
 */
export function checkLocation(location: string): void {
  const parts = location.split("/");
  const drive = /^[A-Za-z]:/.test(location);
  const leaves = drive || /[\\\0]/.test(location) || parts[0] === "" || parts.includes("..");
  if (leaves) {
    throw new NonzeroError("invalid-model", `the location '${location}' is not a path inside the model's folder`, {
      field: "external_data",
    });
  }
}

function integerOf(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new NonzeroError("invalid-model", `the ${name} '${text}' is not a number of bytes`, { field: "external_data" });
}
