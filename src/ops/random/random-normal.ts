import { generated } from "./generated.js";
import { normalOf } from "./mersenne-twister.js";

/** ONNX RandomNormal and RandomNormalLike: elements of a normal distribution with the given mean and standard deviation `scale`. Streams differ from other runtimes'. */
export const randomNormal = generated("RandomNormal", (node) => {
  const [mean, scale] = [node.float("mean", 0), node.float("scale", 1)];
  return (uniform) => {
    const normal = normalOf(uniform);
    return () => mean + scale * normal();
  };
});
