import { type DataFile, readModel } from "../formats/onnx/index.js";
import type { Model } from "../graph/index.js";
import { NonzeroError } from "../tensor/index.js";

/** External data handed in by the user, as onnxruntime-web's `externalData` option takes it. */
export type ExternalDataOption = readonly (
  | string
  | { readonly path: string; readonly data: string | Blob | Uint8Array | ArrayBuffer }
)[];

/** How paths that are no URLs to fetch (but for `file:` ones) are read. A page has no such thing. */
export interface Files {
  /** The model, with external data from its own folder. */
  readModel(path: string): Model;
  read(path: string): Uint8Array;
}

let files: Files | null = null;

/** Gives Nonzero a file system; `nonzero` does so in Node. */
export function setFiles(given: Files): void {
  files = given;
}

/**
 * A model from bytes, or from wherever its path or URL leads (in Node a file; `http:`, `https:`, `blob:` and `data:` URLs, and every path in a
 * page, are fetched). External data is looked for in `external` and, for a file, else in its own folder.
 * @throws NonzeroError "not-found", "io" or as `readModel` does.
 */
export async function loadModel(source: string | URL | Uint8Array, external: ExternalDataOption = []): Promise<Model> {
  if (source instanceof Uint8Array) return parse(source, undefined, await externalBytes(external));
  const uri = String(source);
  // A file's folder holds what is only named; what is given as bytes comes before it.
  const given = isFetched(uri) ? external : external.filter((item) => typeof item !== "string");
  if (files !== null && !isFetched(uri) && given.length === 0) return files.readModel(uri);
  return parse(await readBytes(uri), uri, await externalBytes(given));
}

const isFetched = (uri: string): boolean => files === null || /^(https?|blob|data):/i.test(uri);

const readBytes = async (uri: string): Promise<Uint8Array> => (isFetched(uri) ? fetchBytes(uri) : files!.read(uri));

function parse(bytes: Uint8Array, file: string | undefined, data: ReadonlyMap<string, Uint8Array>): Model {
  const externalData = (location: string): Uint8Array | DataFile => {
    const found = data.get(location) ?? data.get(`./${location}`);
    if (found === undefined) {
      throw new NonzeroError(
        "not-found",
        `the model keeps tensors in '${location}': give it as externalData: [{ path: '${location}', data }]`,
        { field: "external_data" },
      );
    }
    return found;
  };
  return readModel(bytes, { ...(file === undefined ? {} : { file }), externalData });
}

/** The user's external data as bytes by location. */
async function externalBytes(external: ExternalDataOption): Promise<Map<string, Uint8Array>> {
  const entries = external.map(async (item): Promise<[string, Uint8Array]> => {
    const { path, data } = typeof item === "string" ? { path: item, data: item } : item;
    if (typeof data === "string") return [path, await readBytes(data)];
    if (data instanceof Uint8Array) return [path, data];
    return [path, new Uint8Array(data instanceof ArrayBuffer ? data : await data.arrayBuffer())];
  });
  return new Map(await Promise.all(entries));
}

async function fetchBytes(uri: string): Promise<Uint8Array> {
  const file = uri.startsWith("data:") ? "data URL" : uri;
  let response: Response;
  try {
    response = await fetch(uri);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new NonzeroError("io", `the download failed: ${(cause as Error).message}`, { file }, { cause });
  }
  const missing = response.status === 404 || response.status === 410;
  const status = `${response.status} ${response.statusText}`.trim();
  throw new NonzeroError(missing ? "not-found" : "io", `the server answered ${status}`, { file });
}
