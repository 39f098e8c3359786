import { lineChart } from "../../chart.js";
import { markdown } from "../../markdown.js";
import { DENSE } from "../products.js";
import type { Case, Results, Row } from "../results.js";
import { type Drawn, eachRun, peerHeads, peersIn, percentText, ratioText, rowOf, widest } from "./drawn.js";

const LAYOUTS = ["COO", "CSR", "smallest"];

const sharesOf = ({ rows }: Case): string[] => [
  ...new Set(rows.filter(({ pattern }) => pattern?.endsWith("%")).map(({ pattern }) => pattern!)),
];

/** The least measured sparsity from which a layout is never slower than `other`. */
function crossing(measured: Case, layout: string, other: string): string | null {
  const rows = sharesOf(measured).map((share) => rowOf(measured, `${layout} ${share}`)!);
  const behind = rows.findLastIndex((row) => (row.against[other]?.[1] ?? 0) < 1);
  const from = rows[behind + 1];
  return from === undefined ? null : from.pattern!;
}

/** Sparsity against speed: the talk's "only faster at high sparsity levels (>99%)". */
export function drawCrossover(results: Results): Drawn {
  const run = widest(results);
  const [measured] = run.cases as [Case];
  const table = eachRun(results, (one) => {
    const peers = peersIn(one);
    const [c] = one.cases as [Case];
    const head = [
      "sparsity",
      "smallest layout",
      ">bytes",
      ">× dense, COO",
      ">CSR",
      ">smallest",
      ">of peak",
      ...peerHeads(peers),
    ];
    const dense = rowOf(c, DENSE)!;
    const lines = sharesOf(c).map((share) => {
      const [coo, csr, smallest] = LAYOUTS.map((layout) => rowOf(c, `${layout} ${share}`)) as [Row, Row, Row];
      return [
        percentText(smallest.sparsity!),
        smallest.layout!,
        percentText(smallest.bytes! / dense.bytes!),
        ...[coo, csr, smallest].map((row) => ratioText(row, DENSE)),
        percentText(smallest.share_of_peak!),
        ...peers.map((peer) => ratioText(smallest, peer)),
      ];
    });
    const own = ["dense", "", "100 %", "", "", "1.00×", percentText(dense.share_of_peak!)];
    return markdown(head, [[...own, ...peers.map((peer) => ratioText(dense, peer))], ...lines]);
  });
  const froms = LAYOUTS.map((layout) => `${layout} ${crossing(measured, layout, DENSE) ?? "nowhere"}`).join(", ");
  const peers = peersIn(run).map((peer) => `${peer} ${crossing(measured, "smallest", peer) ?? "nowhere"}`);
  const points = (layout: string) =>
    sharesOf(measured).map((share) => {
      const row = rowOf(measured, `${layout} ${share}`)!;
      return [1 / (1 - row.sparsity!), row.against[DENSE]![1]] as const;
    });
  const ideal = sharesOf(measured).map((share) => {
    const { sparsity } = rowOf(measured, `smallest ${share}`)!;
    return [1 / (1 - sparsity!), 1 / (1 - sparsity!)] as const;
  });
  const chart = lineChart(
    `Unstructured sparsity, ${measured.title}: speed against own dense`,
    {
      title: "sparsity",
      at: [
        [1.1, "9 %"],
        [2, "50 %"],
        [4, "75 %"],
        [10, "90 %"],
        [20, "95 %"],
        [100, "99 %"],
        [1000, "99.9 %"],
      ],
    },
    { title: "× dense", at: [0.5, 1, 2, 5, 10, 20, 50, 100, 200].map((value) => [value, `${value}`] as const) },
    [
      { name: "smallest layout", points: points("smallest") },
      { name: "CSR", points: points("CSR") },
      { name: "COO", points: points("COO") },
      { name: "ideal", points: ideal },
    ],
    peersIn(run).flatMap((peer) => {
      const ratio = rowOf(measured, DENSE)!.against[peer]?.[1];
      return ratio === undefined ? [] : [{ value: 1 / ratio, label: `${peer}, dense` }];
    }),
  );
  const text = `## Crossover

The talk: a sparse product is "only faster at high sparsity levels (>99%)" than a dense one. Here, ${measured.title}: a layer is stored sparse in
three layouts and multiplied by token-major activations. Kernels bring each into the order in which they read it, once, so layouts differ in bytes, and
their lines in the chart lie on one another. Never slower than own dense from: ${froms}. The smallest layout is ahead of
the peers' dense products from: ${peers.join(", ")}.

![Speed by sparsity](talk-crossover.svg)

${table}`;
  return { text, charts: { "talk-crossover.svg": chart } };
}
