import { barChart, type Group } from "../../chart.js";
import { markdown, times } from "../../markdown.js";
import { DENSE } from "../products.js";
import type { Case, Results } from "../results.js";
import { type Drawn, eachRun, peerHeads, peersIn, percentText, ratioText, rowOf, widest } from "./drawn.js";

/** The talk's speed against dense, by layer, block side and share of zeros. */
const TALK: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>> = {
  "ViT-L MLP 1": {
    "8": { "80": 0.003, "90": 0.007 },
    "16": { "80": 0.262, "90": 0.509 },
    "32": { "80": 0.666, "90": 1.439 },
    "64": { "80": 1.776, "90": 2.202 },
  },
  "ViT-L MLP 2": {
    "8": { "80": 0.004, "90": 0.008 },
    "16": { "80": 0.28, "90": 0.429 },
    "32": { "80": 0.795, "90": 1.073 },
    "64": { "80": 1.251, "90": 1.631 },
  },
};

const SHARES = ["80", "90"];

const talkOf = (title: string, block: string, share: string): number | null => {
  const [height, width] = block.split("×");
  return height === width ? (TALK[title]?.[height!]?.[share] ?? null) : null;
};

const blocksIn = ({ rows }: Case): string[] => [
  ...new Set(rows.flatMap(({ name, pattern }) => (pattern?.startsWith("block:") ? [name.split(" ")[0]!] : []))),
];

/** The talk's block-sparsity microbenchmark. */
export function drawBlocks(results: Results): Drawn {
  const table = eachRun(results, (run) => {
    const peers = peersIn(run);
    const head = ["layer", "block", "sparsity", ">× dense", ">the talk", ">of peak", ...peerHeads(peers)];
    const lines = run.cases.flatMap((measured) =>
      SHARES.flatMap((share) =>
        blocksIn(measured).map((block) => {
          const row = rowOf(measured, `${block} ${share}%`)!;
          return [
            measured.title,
            block,
            `${share} %`,
            `**${ratioText(row, DENSE)}**`,
            times(talkOf(measured.title, block, share)),
            percentText(row.share_of_peak!),
            ...peers.map((peer) => ratioText(row, peer)),
          ];
        }),
      ),
    );
    return markdown(head, lines);
  });
  const charts = Object.fromEntries(
    widest(results).cases.map((measured, i) => {
      const groups = blocksIn(measured).map(
        (block): Group => ({
          label: block,
          values: SHARES.flatMap((share) => [
            rowOf(measured, `${block} ${share}%`)?.against[DENSE]?.[1] ?? null,
            talkOf(measured.title, block, share),
          ]),
        }),
      );
      const series = SHARES.flatMap((share) => [`here, ${share} %`, `the talk, ${share} %`]);
      const svg = barChart(`${measured.title}: speed of blocks against own dense`, "dense = 1", series, groups);
      return [`talk-blocks-${i + 1}.svg`, svg];
    }),
  );
  const images = Object.keys(charts).map((file) => `![Speed of blocks against dense](${file})`);
  const text = `## Blocks

The talk's microbenchmark: whole blocks of the weights of ViT-L's feed-forward layers are zero. There (A100, float16, 256 images a batch, against dense
tensor cores) blocks of less than 32 lose; here, on 256 tokens in float32, the block's size hardly matters.

${images.join("\n\n")}

${table}`;
  return { text, charts };
}
