import { closeSync, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import type { Constant, Model } from "../../graph/index.js";
import { locate, NonzeroError } from "../../tensor/index.js";
import { checkLocation, type DataFile } from "./external-data.js";
import { ModelProtoSchema } from "./onnx_pb.js";
import { readModel } from "./read.js";
import { writeTogether } from "./replace.node.js";
import { MAX_BYTES, modelProto, type WriteOptions } from "./write.js";
import { constantBytes } from "./write-needs.js";
import { dense, type Placed } from "./write-tensor.js";

/**
 * Reads an ONNX file; tensors that it keeps in other files are read from its folder, each by its range, and nothing twice.
 * @throws NonzeroError "not-found", "io", or as `readModel` does; external data outside the model's folder is "invalid-model".
 */
export function readModelFile(path: string): Model {
  return locate({ file: path }, () => {
    const bytes = withFile(path, (file) => {
      if (file.size > MAX_BYTES) throw new NonzeroError("invalid-model", "an ONNX file cannot be 2 GB or more");
      return file.read(0, file.size);
    });
    const open = new Map<string, OpenFile>();
    try {
      return readModel(bytes, { externalData: (location) => externalFile(path, location, open), ownsBytes: true });
    } finally {
      for (const file of open.values()) file.close();
    }
  });
}

interface OpenFile extends DataFile {
  close(): void;
}

function externalFile(model: string, location: string, open: Map<string, OpenFile>): DataFile {
  const known = open.get(location);
  if (known !== undefined) return known;
  checkLocation(location);
  const place = { field: "external_data" };
  return locate(place, () => {
    const path = join(dirname(model), location);
    const real = io(path, () => realpathSync(path));
    // A model that is itself a link, as download caches make them, has its folder and that of its target.
    const folders = [realpathSync(dirname(model)), dirname(realpathSync(model))];
    if (!folders.some((folder) => real.startsWith(folder.endsWith(sep) ? folder : folder + sep))) {
      throw new NonzeroError("invalid-model", `'${location}' is a link that leaves the model's folder`);
    }
    const file = openFile(real);
    open.set(location, file);
    return file;
  });
}

function openFile(path: string): OpenFile {
  return io(path, () => {
    const fd = openSync(path, "r");
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      closeSync(fd);
      throw new NonzeroError("io", `'${path}' is not a file`);
    }
    const read = (offset: number, length: number): Uint8Array => io(path, () => readRange(fd, path, offset, length));
    return { size: stat.size, read, close: () => closeSync(fd) };
  });
}

function withFile<T>(path: string, body: (file: DataFile) => T): T {
  const file = openFile(path);
  try {
    return body(file);
  } finally {
    file.close();
  }
}

/** One read call takes less than 2 GB. */
const CHUNK = 2 ** 30;

function readRange(fd: number, path: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const read = readSync(fd, bytes, done, Math.min(CHUNK, length - done), offset + done);
    if (read === 0) throw new NonzeroError("io", `'${path}' became shorter while it was read`);
    done += read;
  }
  return bytes;
}

/** Errors of the file system as NonzeroErrors. */
function io<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof NonzeroError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const reason = missing ? `there is no file '${path}'` : (error as Error).message;
    throw new NonzeroError(missing ? "not-found" : "io", reason, {}, { cause: error });
  }
}

export interface WriteFileOptions extends WriteOptions {
  /**
   * Tensors of at least so many bytes go to a second file, `<name>.data`, beside the model. Absent: none do, except those of 1024
   * bytes or more when the model would not fit into one file.
   */
  readonly externalFrom?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const EXTERNAL_FROM = 1024;
/** Offsets that memory mapping wants. */
const ALIGNMENT = 4096;

/**
 * Writes a model as an ONNX file, or two. They are written under other names in the same folder, flushed to the disk and then
 * renamed, so that a failure or an abort leaves what was there before. Tensors go to the second file one by one.
 * @throws NonzeroError "io", "aborted", or as `writeModel` does.
 */
export async function writeModelFile(path: string, model: Model, options: WriteFileOptions = {}): Promise<void> {
  const tooBig = constantBytes(model.graph, options.sparse ?? "packed") >= MAX_BYTES;
  const from = options.externalFrom ?? (tooBig ? EXTERNAL_FROM : Number.POSITIVE_INFINITY);
  const location = `${basename(path)}.data`;
  await writeTogether(options.signal, async (create) => {
    let end = 0;
    const queue: { constant: Constant; offset: number }[] = [];
    const place = (constant: Constant, byteLength: number): Placed | null => {
      if (byteLength < from) return null;
      const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      end = offset + byteLength;
      queue.push({ constant, offset });
      return { location, offset };
    };
    const proto = modelProto(model, options, place);
    if (queue.length > 0) {
      const data = await create(join(dirname(path), location));
      for (const { constant, offset } of queue) await data.write(dense(constant).bytes(), offset);
    }
    const file = await create(path);
    await file.write(toBinary(ModelProtoSchema, proto), 0);
  });
}
