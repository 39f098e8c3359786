import { timeLinear, type Weighting } from "../products.js";
import type { Section } from "./section.js";

/** Kernels by name, and the patterns that take each from half to almost none of the weights. */
export const KERNELS: Readonly<Record<string, readonly string[]>> = {
  unstructured: ["50%", "60%", "70%", "75%", "80%", "85%", "90%", "95%"],
  "n:m": ["2:4", "3:8", "1:4", "3:16", "1:8", "1:16"],
  "4:n:m": ["4:2:4", "4:3:8", "4:1:4", "4:3:16", "4:1:8", "4:1:16"],
  "block 16×16": ["50", "60", "70", "75", "80", "85", "90", "95"].map((share) => `block:16x16@${share}%`),
};

export const native: Section = {
  name: "native",
  about: "the sparsity from which each kernel is ahead of onnxruntime-node, native code with the widest vectors",
  async run(bench) {
    const shape = bench.quick ? { m: 768, k: 384, n: 64 } : { m: 4096, k: 1024, n: 256 };
    const weightings = Object.entries(KERNELS).flatMap(([kernel, patterns]) =>
      (bench.quick ? patterns.slice(0, 2) : patterns).map(
        (pattern): Weighting => ({ name: `${kernel} ${pattern}`, pattern }),
      ),
    );
    const title = `${shape.m}×${shape.k}, ${shape.n} tokens`;
    const measured = await timeLinear(bench, { title, ...shape, weightings, peers: ["onnxruntime-node"] });
    if (measured !== null) bench.add(measured);
  },
};
