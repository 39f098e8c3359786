import {
  bfloat16ToNumber,
  type DataType,
  float16ToNumber,
  NonzeroError,
  numberToBfloat16,
  numberToFloat16,
} from "../../tensor/index.js";

const RANGES: Partial<Record<DataType, readonly [number, number]>> = {
  int4: [-8, 7],
  uint4: [0, 15],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** Least and greatest value of a dtype that is quantized to. @throws NonzeroError "shape" for any other. */
export function quantizedRange(dtype: DataType): readonly [number, number] {
  const range = RANGES[dtype];
  if (range === undefined) throw new NonzeroError("shape", `nothing is quantized to ${dtype}`);
  return range;
}

/** Rounds a number to a float dtype. */
export function rounderOf(dtype: DataType): (x: number) => number {
  switch (dtype) {
    case "float16":
      return (x) => float16ToNumber(numberToFloat16(x));
    case "bfloat16":
      return (x) => bfloat16ToNumber(numberToBfloat16(x));
    case "float64":
      return (x) => x;
    default:
      return Math.fround;
  }
}
