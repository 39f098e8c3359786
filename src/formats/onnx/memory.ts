import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { NonzeroError } from "../../tensor/index.js";

/** Bytes of heap that decoding may take, raw data not counted, which stays where it is. */
const BUDGET = 2 ** 30;

/** Roughly what V8 takes for each. */
const MESSAGE = 300;
const VIEW = 150;
const BIGINT = 32;
const NUMBER = 8;
const STRING = 40;

/**
 * Walks a message without decoding it and adds up what decoding would allocate: two bytes of a file can stand for a message of
 * hundreds. @throws NonzeroError "unsupported" when that is more than any model needs, Error when the bytes are malformed.
 */
export function checkMemory(schema: DescMessage, bytes: Uint8Array, maxDepth: number): void {
  const reader = new BinaryReader(bytes);
  let cost = 0;
  const walk = (message: DescMessage, end: number, depth: number): void => {
    if (depth > maxDepth) throw new Error(`messages nest more than ${maxDepth} deep`);
    const fields = fieldsOf(message);
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      const field = fields.get(number);
      if (field?.message !== undefined && wireType === WireType.LengthDelimited) {
        cost += MESSAGE;
        walk(field.message, reader.uint32() + reader.pos, depth + 1);
      } else {
        const start = reader.pos;
        reader.skip(wireType, number);
        if (field !== undefined) cost += costOf(field, wireType, reader.pos - start);
      }
      if (cost > BUDGET) {
        throw new NonzeroError("unsupported", `decoding it takes more than ${BUDGET} bytes besides its raw data`);
      }
    }
  };
  walk(schema, bytes.byteLength, 1);
}

/** Heap for one record of a field that is no message; packed lists take at least a byte for each varint. */
function costOf(field: DescField, wireType: WireType, length: number): number {
  const { scalar } = field;
  if (scalar === ScalarType.BYTES) return VIEW;
  if (scalar === ScalarType.STRING) return STRING + length;
  const packed = wireType === WireType.LengthDelimited;
  if (scalar === ScalarType.FLOAT) return packed ? (length / 4) * NUMBER : NUMBER;
  if (scalar === ScalarType.DOUBLE) return packed ? length : NUMBER;
  if (scalar === ScalarType.INT64 || scalar === ScalarType.UINT64) return packed ? length * BIGINT : BIGINT;
  return packed ? length * NUMBER : NUMBER;
}

const known = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(message: DescMessage): ReadonlyMap<number, DescField> {
  let fields = known.get(message);
  if (fields === undefined) {
    fields = new Map(message.fields.map((field) => [field.number, field]));
    known.set(message, fields);
  }
  return fields;
}
