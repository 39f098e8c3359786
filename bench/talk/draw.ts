import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { replaceFile } from "../../src/cli/write-file.js";
import { drawInto } from "../markdown.js";
import { drawBlocks } from "./draw/blocks.js";
import { drawCrossover } from "./draw/crossover.js";
import { type Drawn, missingIn, whereMeasured } from "./draw/drawn.js";
import { drawModels } from "./draw/models.js";
import { drawNative } from "./draw/native.js";
import { drawSparsify, type Sparsify } from "./draw/sparsify.js";
import { drawTwoFour } from "./draw/two-four.js";
import { RESULTS, type Results, readResults } from "./results.js";

const PAGE = new URL("../../docs/talk.md", import.meta.url);

const SECTIONS: Readonly<Record<string, (results: Results) => Drawn>> = {
  crossover: drawCrossover,
  blocks: drawBlocks,
  "two-four": drawTwoFour,
  vit: (results) => drawModels(results, "vit"),
  sam: (results) => drawModels(results, "sam"),
  real: (results) => drawModels(results, "real"),
  native: drawNative,
};

/** Draws bench/results/talk-*.json and sparsify.json: the tables of docs/talk.md and the charts beside it. Sections without results are left out. */
export function drawTalk(): void {
  const parts: string[] = [];
  for (const [section, draw] of Object.entries(SECTIONS)) {
    const results = readResults(section);
    if (results === null) continue;
    const { text, charts } = draw(results);
    for (const [name, svg] of Object.entries(charts)) replaceFile(fileURLToPath(new URL(name, PAGE)), svg);
    parts.push([text, missingIn(results), whereMeasured(results)].filter((part) => part !== "").join("\n\n"));
  }
  const sparsify = `${RESULTS}/sparsify.json`;
  if (existsSync(sparsify)) parts.push(drawSparsify(JSON.parse(readFileSync(sparsify, "utf8")) as Sparsify));
  drawInto(PAGE, parts.join("\n\n"));
}
