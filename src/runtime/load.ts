import { type DataFile, readModel } from "../formats/onnx/index.js";
import type { Model } from "../graph/index.js";
import { NonzeroError } from "../tensor/index.js";

/** External data handed in by the user, as onnxruntime-web's `externalData` option takes it. */
export type ExternalDataOption = readonly (
  | string
  | { readonly path: string; readonly data: string | Blob | Uint8Array | ArrayBuffer }
)[];

/** How a model is found by its path. Node's reads files; a page's fetches. */
export type ModelLoader = (uri: string, external: ExternalDataOption) => Promise<Model>;

let loader: ModelLoader = fetchModel;

/** Puts another way of finding models in place; `nonzero/node` does. */
export function setModelLoader(replacement: ModelLoader): void {
  loader = replacement;
}

/** A model from bytes, or from wherever its path or URL leads. @throws NonzeroError "not-found", "io" or as `readModel` does. */
export async function loadModel(source: string | Uint8Array, external: ExternalDataOption = []): Promise<Model> {
  if (typeof source === "string") return loader(source, external);
  return parse(source, undefined, await externalBytes(external));
}

async function fetchModel(uri: string, external: ExternalDataOption): Promise<Model> {
  return parse(await fetchBytes(uri), uri, await externalBytes(external));
}

function parse(bytes: Uint8Array, file: string | undefined, data: ReadonlyMap<string, Uint8Array>): Model {
  const externalData = (location: string): Uint8Array | DataFile => {
    const found = data.get(location) ?? data.get(`./${location}`);
    if (found === undefined) {
      throw new NonzeroError("not-found", `'${location}' is not among the externalData given`, {
        field: "external_data",
      });
    }
    return found;
  };
  return readModel(bytes, { ...(file === undefined ? {} : { file }), externalData });
}

/** The user's external data as bytes by location. */
export async function externalBytes(external: ExternalDataOption): Promise<Map<string, Uint8Array>> {
  const entries = external.map(async (item): Promise<[string, Uint8Array]> => {
    const { path, data } = typeof item === "string" ? { path: item, data: item } : item;
    if (typeof data === "string") return [path, await fetchBytes(data)];
    if (data instanceof Uint8Array) return [path, data];
    return [path, new Uint8Array(data instanceof ArrayBuffer ? data : await data.arrayBuffer())];
  });
  return new Map(await Promise.all(entries));
}

async function fetchBytes(uri: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(uri);
  } catch (cause) {
    throw new NonzeroError("io", `the download failed: ${(cause as Error).message}`, { file: uri }, { cause });
  }
  if (!response.ok) {
    throw new NonzeroError("not-found", `the server answered ${response.status} ${response.statusText}`, { file: uri });
  }
  return new Uint8Array(await response.arrayBuffer());
}
