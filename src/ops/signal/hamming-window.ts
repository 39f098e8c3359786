import { cosineWindow } from "./window.js";

/** ONNX HammingWindow: 25/46 − 21/46 cos(2πn / N). */
export const hammingWindow = cosineWindow("HammingWindow", [25 / 46, -21 / 46]);
