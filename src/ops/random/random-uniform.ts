import { generated } from "./generated.js";

/** ONNX RandomUniform and RandomUniformLike: elements spread evenly over [low, high), before they are rounded to the dtype. Streams differ from other runtimes'. */
export const randomUniform = generated("RandomUniform", (node) => {
  const [low, high] = [node.float("low", 0), node.float("high", 1)];
  return (uniform) => () => low + (high - low) * uniform();
});
