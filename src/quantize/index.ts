export { dequantize } from "./dequantize.js";
export {
  GROUP_SIZES,
  type GroupSize,
  type QuantizationScheme,
  type Quantized,
  type QuantizedWeight,
  type QuantizeOptions,
  quantize,
  SCHEMES,
} from "./quantize.js";
