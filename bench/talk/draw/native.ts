import { markdown } from "../../markdown.js";
import { DENSE } from "../products.js";
import type { Case, Results } from "../results.js";
import { KERNELS } from "../sections/native.js";
import { type Drawn, eachRun, percentText, ratioText, rowOf, widest } from "./drawn.js";

const NODE = "onnxruntime-node";

interface Crossing {
  readonly kernel: string;
  /** Share of zeros from which on it is ahead, between two measured ones by their logarithms. */
  readonly from: number | null;
}

function crossingOf(measured: Case, kernel: string, patterns: readonly string[]): Crossing {
  const points = patterns
    .flatMap((pattern) => {
      const row = rowOf(measured, `${kernel} ${pattern}`);
      const ratio = row?.against[NODE]?.[1];
      return ratio === undefined ? [] : [{ density: 1 - row!.sparsity!, ratio }];
    })
    .toSorted((a, b) => b.density - a.density);
  const behind = points.findLastIndex(({ ratio }) => ratio < 1);
  const [last, next] = [points[behind], points[behind + 1]];
  if (next === undefined) return { kernel, from: null };
  if (last === undefined) return { kernel, from: 1 - next.density };
  const share = -Math.log(last.ratio) / (Math.log(next.ratio) - Math.log(last.ratio));
  return {
    kernel,
    from: 1 - Math.exp(Math.log(last.density) + share * (Math.log(next.density) - Math.log(last.density))),
  };
}

/** How sparse a weight must be for WebAssembly to be ahead of native code. */
export function drawNative(results: Results): Drawn {
  const [measured] = widest(results).cases as [Case];
  const froms = Object.entries(KERNELS).map(([kernel, patterns]) => crossingOf(measured, kernel, patterns));
  const said = froms.map(({ kernel, from }) => `${kernel} ${from === null ? "nowhere" : `from ${percentText(from)}`}`);
  const dense = rowOf(measured, DENSE)!.against[NODE]?.[1];
  const table = eachRun(results, ({ cases: [one] }) =>
    markdown(
      ["kernel", "pattern", ">sparsity", ">× dense", ">of peak", ">× ort-node"],
      one!.rows.flatMap((row) => {
        if (row.by !== "nonzero") return [];
        const kernel = Object.keys(KERNELS).find((name) => row.name.startsWith(`${name} `)) ?? "dense";
        return [
          [
            kernel,
            row.pattern!,
            percentText(row.sparsity!),
            ratioText(row, DENSE),
            percentText(row.share_of_peak!),
            ratioText(row, NODE),
          ],
        ];
      }),
    ),
  );
  const text = `## Against native code

onnxruntime-node is native code with vectors four times as wide as WebAssembly's (AVX-512 on this machine), so dense WebAssembly makes
${dense === undefined ? "a fraction" : `${dense.toFixed(2)} times`} its speed. Where a kernel is ahead of it on ${measured.title}: ${said.join(", ")}.

${table}`;
  return { text, charts: {} };
}
