import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { NonzeroError } from "../../tensor/index.js";
import { checkMemory } from "./memory.js";

/** How deep messages may nest: 3 levels for each subgraph inside a subgraph. */
const MAX_DEPTH = 100;

/** Decodes a protobuf message; bytes fields are views of `bytes`. @throws NonzeroError "invalid-model" when it is not one, "unsupported" when it is a bomb. */
export function decode<D extends DescMessage>(schema: D, bytes: Uint8Array, what: string): MessageShape<D> {
  try {
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength); // views of a Buffer would be Buffers
    checkMemory(schema, plain, MAX_DEPTH);
    return fromBinary(schema, plain, { readUnknownFields: false, recursionLimit: MAX_DEPTH });
  } catch (error) {
    if (error instanceof NonzeroError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new NonzeroError("invalid-model", `not a valid ${what}: ${reason}`, {}, { cause: error });
  }
}

/** UTF-8 of a bytes field. @throws NonzeroError "invalid-model". */
export function textOf(bytes: Uint8Array, field: string): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw new NonzeroError("invalid-model", "the string is not valid UTF-8", { field }, { cause: error });
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** An int64 as a number; those beyond ±(2^53 - 1), which exporters use to say "no limit", are clamped to it. */
export function clampedInt(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  if (value < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER;
  return Number(value);
}
