import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { edits, wordsOf } from "./words.js";

describe("wordsOf", () => {
  it.each([
    ["That's agent 4!", ["that's", "agent", "four"]],
    ["It’s 21:05 — press #", ["it's", "twenty", "one", "five", "press"]],
    ["400 or 999", ["four", "hundred", "or", "nine", "hundred", "ninety", "nine"]],
    ["…", []],
  ])("%s", (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });
});

describe("edits", () => {
  const words = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 8 });

  it("counts insertions, deletions and substitutions", () => {
    expect(edits(["a", "b", "c"], ["a", "c"])).toBe(1);
    expect(edits(["a"], ["b"])).toBe(1);
    expect(edits([..."kitten"], [..."sitting"])).toBe(3);
    expect(edits([], ["a", "b"])).toBe(2);
  });

  it("is a distance", () => {
    fc.assert(
      fc.property(words, words, words, (a, b, c) => {
        expect(edits(a, b)).toBe(edits(b, a));
        expect(edits(a, b) === 0).toBe(a.join() === b.join());
        expect(edits(a, c)).toBeLessThanOrEqual(edits(a, b) + edits(b, c));
      }),
    );
  });
});
