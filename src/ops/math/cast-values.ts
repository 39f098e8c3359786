import {
  bfloat16ToNumber,
  type DataType,
  float16ToNumber,
  is64BitInteger,
  isFloat,
  isInteger,
  NonzeroError,
  numberToBfloat16,
  numberToFloat16,
  Tensor,
} from "../../tensor/index.js";
import { elementsOf, mapNumbers, tensorOf } from "../elementwise.js";
import { roundHalfEven } from "./round.js";

/**
 * The elements of x as `to`, as ONNX's Cast has it. Floats round to nearest even; floats to integers truncate (NaN and ±∞
 * give 0, and what is out of range wraps, which ONNX leaves undefined) but to int4 and uint4 round to nearest even and saturate;
 * integers to narrower integers keep their low bits; anything but 0 is true.
 */
export function castTensor(x: Tensor, to: DataType): Tensor {
  if (to === x.dtype) return x;
  if (to === "string") return new Tensor(to, x.shape, formatElements(x));
  if (x.dtype === "string") return parseElements(x, to);
  if (is64BitInteger(x.dtype) && isInteger(to)) return tensorOf(to, x.shape, x.bigints());
  if (isFloat(x.dtype) && (to === "int4" || to === "uint4")) {
    const [low, high] = to === "int4" ? [-8, 7] : [0, 15];
    return mapNumbers(x, (v) => Math.min(high, Math.max(low, roundHalfEven(v))), to);
  }
  if (is64BitInteger(x.dtype) && isFloat(to) && to !== "float64")
    return Tensor.from(to, x.shape, Array.from(x.bigints(), stickyNumber));
  return x.to(to);
}

/** v as a double that rounds to 24 bits or fewer as v itself would: beyond 2^53 the low bits are folded into one. Exact below. */
function stickyNumber(v: bigint): number {
  if (BigInt.asIntN(54, v) === v) return Number(v);
  const low = v & 0xfffn;
  return Number(v - low + (low === 0n ? 0n : 0x800n));
}

/**
 * Elements as text, in Python's manner as ONNX's reference has it: of floats the fewest digits that read back the same, with an
 * exponent outside [1e-4, 1e16): "1.0", "1e-05", "nan", "-inf", "True".
 */
function formatElements(x: Tensor): string[] {
  if (x.dtype === "bool") return Array.from(x.numbers(), (v) => (v !== 0 ? "True" : "False"));
  if (!isFloat(x.dtype)) return Array.from(elementsOf(x) as ArrayLike<number>, String);
  const round = ROUNDING[x.dtype as keyof typeof ROUNDING];
  return Array.from(x.numbers(), (v) => formatFloat(v, round));
}

const ROUNDING = {
  float64: (v: number) => v,
  float32: Math.fround,
  float16: (v: number) => float16ToNumber(numberToFloat16(v)),
  bfloat16: (v: number) => bfloat16ToNumber(numberToBfloat16(v)),
};

function formatFloat(v: number, round: (v: number) => number): string {
  if (Number.isNaN(v)) return "nan";
  if (!Number.isFinite(v)) return v > 0 ? "inf" : "-inf";
  if (v === 0) return Object.is(v, -0) ? "-0.0" : "0.0";
  let digits = 0;
  while (round(Number(v.toExponential(digits))) !== v) digits++;
  const [mantissa, exponent] = v.toExponential(digits).split("e") as [string, string];
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  const text = String(Number(`${mantissa}e${exponent}`));
  return text.includes(".") ? text : `${text}.0`;
}

function parseElements(x: Tensor, to: DataType): Tensor {
  const texts = x.strings();
  if (isInteger(to)) return tensorOf(to, x.shape, texts.map(parseInteger));
  if (to === "bool") return Tensor.from(to, x.shape, texts.map(parseBool));
  return Tensor.from(to, x.shape, texts.map(parseFloatText));
}

const WORDS: ReadonlyMap<string, number> = new Map([
  ["inf", Number.POSITIVE_INFINITY],
  ["infinity", Number.POSITIVE_INFINITY],
  ["nan", Number.NaN],
]);

/** Plain or scientific notation, or INF, +INF, -INF, NaN in any case. */
function parseFloatText(text: string): number {
  const trimmed = text.trim().toLowerCase();
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(trimmed)) return Number(trimmed);
  const word = WORDS.get(trimmed.replace(/^[+-]/, ""));
  if (word === undefined) throw new NonzeroError("invalid-argument", `'${text}' is not a number`);
  return trimmed.startsWith("-") ? -word : word;
}

function parseInteger(text: string): bigint {
  const trimmed = text.trim();
  if (/^[+-]?\d+$/.test(trimmed)) return BigInt(trimmed.replace(/^\+/, ""));
  const value = Math.trunc(parseFloatText(trimmed));
  if (!Number.isFinite(value)) throw new NonzeroError("invalid-argument", `'${text}' is not an integer`);
  return BigInt(value);
}

function parseBool(text: string): number {
  const word = text.trim().toLowerCase();
  return word === "true" ? 1 : word === "false" ? 0 : parseFloatText(text);
}
