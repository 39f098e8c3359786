import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Mask } from "./mask.js";
import { parsePattern } from "./parse.js";

const page = readFileSync(new URL("../../docs/patterns.md", import.meta.url), "utf8");

/** The pictures: a line of names, then eight lines of marks below each name. */
function pictures(): { text: string; mask: Mask }[] {
  const lines = /```text\n([\s\S]*?)```/.exec(page)![1]!.split("\n");
  return lines.flatMap((line, at) => {
    if (line === "" || /[█·]/.test(line)) return [];
    return [...line.matchAll(/\S+/g)].map(({ 0: text, index }) => {
      const marks = lines.slice(at + 1, at + 9).flatMap((row) => [...row.slice(index, index + 16)]);
      return { text, mask: { rows: 8, cols: 16, data: Uint8Array.from(marks, (mark) => (mark === "█" ? 1 : 0)) } };
    });
  });
}

describe("docs/patterns.md", () => {
  it("draws masks that satisfy their patterns and keep all that these allow", () => {
    expect(pictures().length).toBe(10);
    for (const { text, mask } of pictures()) {
      const pattern = parsePattern(text);
      expect(mask.data.length).toBe(128);
      expect(pattern.violation(mask)).toBeNull();
      expect(mask.data.reduce((a, b) => a + b, 0)).toBe(128 * pattern.density);
    }
  });

  it("names patterns and families as parsePattern does", () => {
    const rows = [...page.matchAll(/^\| (`.*?) \| ([\w:+-]+) \|/gm)];
    expect(rows.length).toBe(11);
    for (const [, texts, kind] of rows) {
      for (const [, text] of texts!.matchAll(/`([^`]+)`/g)) expect(parsePattern(text!).kind).toBe(kind);
    }
  });
});
