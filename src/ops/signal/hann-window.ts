import { cosineWindow } from "./window.js";

/** ONNX HannWindow: 0.5 − 0.5 cos(2πn / N). */
export const hannWindow = cosineWindow("HannWindow", [0.5, -0.5]);
