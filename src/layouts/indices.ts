import type { DataType } from "../tensor/index.js";
import type { Stored } from "./layout.js";

/** Unsigned indices as a stored part holds them. */
export type Indices = Uint8Array | Uint16Array | Uint32Array;

/** The smaller of uint16 and uint32 that holds every index below `bound`. */
export const indexType = (bound: number): "uint16" | "uint32" => (bound <= 65536 ? "uint16" : "uint32");

export const indexBytes = (dtype: DataType): number => (dtype === "uint16" ? 2 : 4);

export const newIndices = (dtype: "uint16" | "uint32", length: number): Uint16Array | Uint32Array =>
  dtype === "uint16" ? new Uint16Array(length) : new Uint32Array(length);

export const indicesOf = (stored: Stored, name: string): Indices => stored.parts[name]!.data as Indices;
