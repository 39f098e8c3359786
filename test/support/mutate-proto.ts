import { type DescField, type DescMessage, fromBinary, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "../../src/formats/onnx/onnx_pb.js";

/** Draws an integer in [0, below). */
export type Draw = (below: number) => number;

type Fields = Record<string, unknown>;
interface Spot {
  readonly field: DescField;
  get(): unknown;
  set(value: unknown): void;
}

const NUMBERS = [0, 1, -1, 2, 3, 7, 9, 16, 22, 99, 2 ** 31 - 1, -(2 ** 31)];
const BIGS = [0n, 1n, -1n, 2n, 3n, 2n ** 16n, 2n ** 31n, 2n ** 32n, 2n ** 40n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];

/** Bytes with some of them flipped, cut off, left out, repeated or replaced. */
export function mutateBytes(bytes: Uint8Array, draw: Draw): Uint8Array {
  const at = draw(bytes.length);
  const length = 1 + draw(Math.min(64, bytes.length - at));
  switch (draw(6)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + length)]);
    case 2:
      return Uint8Array.from([...bytes.slice(0, at + length), ...bytes.slice(at)]);
    case 3: {
      const copy = bytes.slice();
      for (let i = 0; i <= draw(8); i++) copy[draw(copy.length)] = [0, 0x7f, 0x80, 0xff][draw(4)]!;
      return copy;
    }
    default: {
      const copy = bytes.slice();
      for (let i = 0; i <= draw(4); i++) copy[draw(copy.length)]! ^= 1 << draw(8);
      return copy;
    }
  }
}

/** A file that is a well-formed message still, with some fields changed, swapped, repeated or left out. */
export function mutateFields(bytes: Uint8Array, draw: Draw): Uint8Array {
  const model = fromBinary(ModelProtoSchema, bytes);
  const spots: Spot[] = [];
  const names: string[] = [""];
  collect(ModelProtoSchema, model as unknown as Fields, spots, names);
  for (let i = 0; i <= draw(3); i++) mutateSpot(spots[draw(spots.length)]!, spots, names, draw);
  return toBinary(ModelProtoSchema, model);
}

function collect(schema: DescMessage, message: Fields, spots: Spot[], names: string[]): void {
  for (const field of schema.fields) {
    const spot = spotOf(message, field);
    const value = spot.get();
    if (field.oneof !== undefined && value === undefined) continue;
    spots.push(spot);
    if (typeof value === "string") names.push(value);
    if (field.fieldKind === "message" && value !== undefined) collect(field.message, value as Fields, spots, names);
    if (field.fieldKind !== "list") continue;
    if (field.listKind === "message") {
      for (const item of value as Fields[]) collect(field.message, item, spots, names);
    } else if (typeof (value as unknown[])[0] === "string") names.push(...(value as string[]));
  }
}

function spotOf(message: Fields, field: DescField): Spot {
  const name = field.localName;
  if (field.oneof === undefined) {
    const set = (value: unknown): void => {
      message[name] = value;
    };
    return { field, get: () => message[name], set };
  }
  const choice = message[field.oneof.localName] as { case?: string; value?: unknown };
  const set = (value: unknown): void => {
    if (value === undefined) choice.case = undefined as never;
    choice.value = value;
  };
  return { field, get: () => (choice.case === name ? choice.value : undefined), set };
}

function mutateSpot({ field, get, set }: Spot, spots: readonly Spot[], names: readonly string[], draw: Draw): void {
  const value = get();
  if (Array.isArray(value)) mutateList(field, value, names, draw);
  else if (field.fieldKind === "message") set(donor(field.message, spots, draw));
  else if (value !== undefined) set(mutateScalar(field, value, names, draw));
}

function mutateList(field: DescField, list: unknown[], names: readonly string[], draw: Draw): void {
  const at = draw(list.length + 1);
  switch (draw(5)) {
    case 0:
      list.splice(at, 1);
      break;
    case 1:
      if (list.length > 0) list.push(list[draw(list.length)]);
      break;
    case 2:
      list.reverse();
      break;
    case 3:
      if (typeof list[0] === "bigint" || list.length === 0) break;
      list.push(...list);
      break;
    default:
      if (at < list.length && !isMessage(list[at])) list[at] = mutateScalar(field, list[at], names, draw);
  }
}

/** Another message of the same type from elsewhere in the file, or nothing. */
function donor(schema: DescMessage, spots: readonly Spot[], draw: Draw): unknown {
  const donors = spots.filter(({ field, get }) => {
    return field.fieldKind === "message" && field.message === schema && get() !== undefined;
  });
  // A copy: a message that holds itself could not be written.
  return structuredClone(donors[draw(donors.length + 1)]?.get());
}

const isMessage = (value: unknown): value is Message =>
  typeof value === "object" && value !== null && "$typeName" in value;

function mutateScalar(field: DescField, value: unknown, names: readonly string[], draw: Draw): unknown {
  if (typeof value === "bigint") {
    const big = BIGS[draw(BIGS.length)]!;
    return field.scalar === ScalarType.UINT64 ? BigInt.asUintN(64, big) : big;
  }
  if (typeof value === "string") return names[draw(names.length)];
  if (value instanceof Uint8Array) return mutateBytes(value.length > 0 ? value : new Uint8Array(4), draw);
  return NUMBERS[draw(NUMBERS.length)];
}
