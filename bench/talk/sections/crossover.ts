import { timeLinear, type Weighting } from "../products.js";
import type { Section } from "./section.js";

const SPARSITIES = ["10", "15", "20", "30", "40", "50", "60", "70", "80", "90", "95", "98", "99", "99.9"];
const QUICK = ["15", "50", "99"];

const weightings = (sparsities: readonly string[]): Weighting[] =>
  sparsities.flatMap((share) => [
    { name: `COO ${share}%`, pattern: `${share}%`, layout: "coo" },
    { name: `CSR ${share}%`, pattern: `${share}%`, layout: "csr" },
    { name: `smallest ${share}%`, pattern: `${share}%` },
  ]);

export const crossover: Section = {
  name: "crossover",
  about: "COO, CSR and the smallest layout for unstructured sparsity against dense, 10 to 99.9 %",
  async run(bench) {
    const shape = bench.quick ? { m: 1024, k: 256, n: 64 } : { m: 4096, k: 1024, n: 256 };
    const title = `${shape.m}×${shape.k}, ${shape.n} tokens`;
    const measured = await timeLinear(bench, {
      title,
      ...shape,
      weightings: weightings(bench.quick ? QUICK : SPARSITIES),
    });
    if (measured !== null) bench.add(measured);
  },
};
