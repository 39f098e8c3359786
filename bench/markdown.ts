import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { replaceFile } from "../src/cli/write-file.js";

const MARKERS = ["<!-- results -->", "<!-- /results -->"] as const;

/** A table; titles that start with `>` head numbers. */
export const markdown = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((title) => (title.startsWith(">") ? "---:" : "---")), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replace(/^>/, "")).join(" | ")} |`)
    .join("\n");

/** Puts text between a page's markers. */
export function drawInto(page: URL, drawn: string): void {
  const text = readFileSync(page, "utf8");
  const [from, to] = MARKERS.map((marker) => text.indexOf(marker)) as [number, number];
  if (from < 0 || to < from) throw new Error(`${fileURLToPath(page)} needs ${MARKERS.join(" and ")}, in this order`);
  replaceFile(fileURLToPath(page), `${text.slice(0, from + MARKERS[0].length)}\n\n${drawn}\n\n${text.slice(to)}`);
}

export const times = (ratio: number | null | undefined): string => (ratio == null ? "–" : `${ratio.toFixed(2)}×`);

export const threadsText = (count: number): string => `${count} thread${count === 1 ? "" : "s"}`;
