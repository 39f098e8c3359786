import { type DataType, NonzeroError, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";
import { checkShape, unknownDim } from "../shape/dims.js";

interface MelWeightMatrixAttributes {
  readonly dtype: DataType;
}

/**
 * ONNX MelWeightMatrix: [dft_length / 2 + 1, num_mel_bins], triangles of height 1 that map the bins of a spectrum to bands
 * evenly spaced on the mel scale 2595 log10(1 + f / 700). Inputs num_mel_bins, dft_length, sample_rate, lower_edge_hertz
 * and upper_edge_hertz. Band edges are rounded down to whole bins.
 */
export const melWeightMatrix: Operator<MelWeightMatrixAttributes> = {
  name: "MelWeightMatrix",
  domain: "",
  shapeInputs: [0, 1],
  attributes: (node) => ({ dtype: dtypeOfCode(node.int("output_datatype", 1), "output_datatype") }),
  infer(inputs, { dtype }) {
    const bands = need(inputs, 0).value?.item() ?? unknownDim();
    const length = need(inputs, 1).value?.item();
    return [{ dtype, shape: [length === undefined ? unknownDim() : Math.floor(length / 2) + 1, bands] }];
  },
  evaluate(inputs, { dtype }) {
    const [bands, length, rate] = [need(inputs, 0).item(), need(inputs, 1).item(), need(inputs, 2).item()];
    const [low, high] = [need(inputs, 3).item(), need(inputs, 4).item()];
    const bins = Math.floor(length / 2) + 1;
    checkShape([bins, bands]);
    const edges = bandEdges(bands, length, rate, low, high);
    if (!(edges[0]! >= 0 && edges.at(-1)! <= bins))
      throw new NonzeroError("shape", `bands from ${low} to ${high} Hz do not fit a spectrum up to ${rate / 2} Hz`);
    const weights = new Float64Array(bins * bands);
    for (let band = 0; band < bands; band++) {
      const [left, peak, right] = edges.slice(band, band + 3) as [number, number, number];
      for (let bin = left; bin < peak; bin++) weights[bin * bands + band] = (bin - left) / (peak - left);
      for (let bin = peak; bin < right; bin++) weights[bin * bands + band] = (right - bin) / (right - peak);
      if (peak < bins) weights[peak * bands + band] = 1;
    }
    return [Tensor.from(dtype, [bins, bands], weights)];
  },
};

/** The bins at which the bands start, peak and end: bands + 2 frequencies, a step apart on the mel scale. */
function bandEdges(bands: number, length: number, rate: number, low: number, high: number): number[] {
  const mel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
  const step = (mel(high) - mel(low)) / (bands + 2);
  return Array.from({ length: bands + 2 }, (_, i) => {
    const hertz = 700 * (10 ** ((mel(low) + i * step) / 2595) - 1);
    return Math.floor(((length + 1) * hertz) / rate);
  });
}
