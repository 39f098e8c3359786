import { readFileSync } from "node:fs";
import { type DataType, locate, NonzeroError, sizeOf, Tensor } from "../tensor/index.js";
import { replaceFile } from "./write-file.js";

/** NumPy's type codes for the dtypes that it has. */
const CODES: Readonly<Partial<Record<DataType, string>>> = {
  float32: "<f4",
  float64: "<f8",
  float16: "<f2",
  int8: "|i1",
  uint8: "|u1",
  int16: "<i2",
  uint16: "<u2",
  int32: "<i4",
  uint32: "<u4",
  int64: "<i8",
  uint64: "<u8",
  bool: "|b1",
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Reads a .npy file (format 1 to 3, C order, little-endian). @throws NonzeroError naming the file. */
export const readNpy = (file: string): Tensor =>
  locate({ file }, () => {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(file);
    } catch (cause) {
      throw new NonzeroError("not-found", (cause as Error).message, {}, { cause });
    }
    return parseNpy(bytes);
  });

/** The tensor in the bytes of a .npy file. */
export function parseNpy(bytes: Uint8Array): Tensor {
  const bad = (reason: string): never => {
    throw new NonzeroError("invalid-model", reason);
  };
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte)) bad("not a .npy file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > bytes.length) bad("the header is cut off");
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, end));
  const code = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? bad("the header has no descr");
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? bad("the header has no shape");
  if (/'fortran_order':\s*True/.test(header) && shapeText.split(",").filter((part) => part.trim()).length > 1) {
    throw new NonzeroError("unsupported", "the array is in Fortran order: save it with numpy.ascontiguousarray");
  }
  const entry = Object.entries(CODES).find(([, known]) => known === code || known === code.replace("=", "<"));
  if (entry === undefined) throw new NonzeroError("unsupported", `arrays of type '${code}' are not read`);
  const shape = shapeText
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
  if (shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0) || !Number.isSafeInteger(sizeOf(shape)))
    bad(`the shape is (${shapeText})`);
  return Tensor.fromBytes(entry[0] as "float32", shape, bytes.subarray(end));
}

/** The bytes of a .npy file. @throws NonzeroError "unsupported" for dtypes that NumPy does not have. */
export function npyBytes(tensor: Tensor): Uint8Array {
  const code = CODES[tensor.dtype];
  if (code === undefined) throw new NonzeroError("unsupported", `NumPy has no ${tensor.dtype}`);
  const shape = `(${tensor.shape.join(", ")}${tensor.shape.length === 1 ? "," : ""})`;
  const text = `{'descr': '${code}', 'fortran_order': False, 'shape': ${shape}, }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const header = new Uint8Array(length).fill(0x20);
  header.set([...MAGIC, 1, 0, (length - 10) & 255, (length - 10) >> 8]);
  header.set(new TextEncoder().encode(text), 10);
  header[length - 1] = 0x0a;
  const data = tensor.bytes();
  const out = new Uint8Array(length + data.length);
  out.set(header);
  out.set(data, length);
  return out;
}

export const writeNpy = (file: string, tensor: Tensor): void => replaceFile(file, npyBytes(tensor));
