import { readFileSync } from "node:fs";
import { byteLengthOf, type DataType, locate, NonzeroError, sizeOf, Tensor } from "../tensor/index.js";
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
      const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
      throw new NonzeroError(
        missing ? "not-found" : "io",
        missing ? "there is no such file" : (cause as Error).message,
        {},
        { cause },
      );
    }
    return parseNpy(bytes);
  });

/** The tensor in the bytes of a .npy file. */
export function parseNpy(bytes: Uint8Array): Tensor {
  const bad = (reason: string): never => {
    throw new NonzeroError("invalid-model", reason);
  };
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte)) bad("not a .npy file: numpy.save writes them");
  if (bytes[6]! < 1 || bytes[6]! > 3) bad(`format ${bytes[6]} of .npy is not known`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > bytes.length) bad("the header is cut off");
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, end));
  const code = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? bad("the header names no plain element type");
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? bad("the header has no shape");
  if (/'fortran_order':\s*True/.test(header) && shapeText.split(",").filter((part) => part.trim()).length > 1) {
    throw new NonzeroError("unsupported", "the array is in Fortran order: save it with numpy.ascontiguousarray");
  }
  const entry = Object.entries(CODES).find(([, known]) => known === code || known === code.replace("=", "<"));
  if (entry === undefined) {
    const known = Object.keys(CODES).join(", ");
    throw new NonzeroError(
      "unsupported",
      `arrays of type '${code}' are not read: save it as one of ${known}, little-endian`,
    );
  }
  const shape = shapeText
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0) || !Number.isSafeInteger(sizeOf(shape)))
    bad(`the shape is (${shapeText})`);
  const dtype = entry[0] as Exclude<DataType, "string">;
  const wanted = byteLengthOf(dtype, sizeOf(shape));
  if (bytes.length - end !== wanted)
    bad(`(${shapeText.trim()}) ${dtype} takes ${wanted} bytes, the file has ${bytes.length - end}`);
  return Tensor.fromBytes(dtype, shape, bytes.subarray(end));
}

/** The tensor in the nearest dtype that NumPy has and that holds all of its values. */
export function forNumpy(tensor: Tensor): Tensor {
  switch (tensor.dtype) {
    case "bfloat16":
      return tensor.to("float32");
    case "int4":
      return tensor.to("int8");
    case "uint4":
      return tensor.to("uint8");
    default:
      return tensor;
  }
}

/** The bytes of a .npy file. @throws NonzeroError "unsupported" for dtypes that NumPy does not have. */
export function npyBytes(tensor: Tensor): Uint8Array {
  const code = CODES[tensor.dtype];
  if (code === undefined) throw new NonzeroError("unsupported", `.npy files have no ${tensor.dtype}`);
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
