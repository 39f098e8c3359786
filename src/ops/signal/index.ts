import type { Operator } from "../operator.js";
import { blackmanWindow } from "./blackman-window.js";
import { dft } from "./dft.js";
import { hammingWindow } from "./hamming-window.js";
import { hannWindow } from "./hann-window.js";
import { melWeightMatrix } from "./mel-weight-matrix.js";
import { stft } from "./stft.js";

/** Fourier transforms and windows. */
export const signalOperators: readonly Operator[] = [
  blackmanWindow,
  dft,
  hammingWindow,
  hannWindow,
  melWeightMatrix,
  stft,
];
