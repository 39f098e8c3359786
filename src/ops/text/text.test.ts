import { describe, expect, it } from "vitest";
import { nestedOf, run, tensor } from "../../../test/support/run-operator.js";

const strings = (nested: unknown) => tensor("string", nested);

describe("StringNormalizer", () => {
  const normalized = (words: unknown, attributes: Record<string, string | number | string[]>): unknown =>
    nestedOf(run("StringNormalizer", [strings(words)], attributes)[0]!);

  it("drops stopwords and changes case", () => {
    const words = ["Monday", "tuesday", "MONDAY"];
    expect(normalized(words, { stopwords: ["monday"], case_change_action: "UPPER" })).toEqual(["TUESDAY"]);
    expect(normalized(words, { stopwords: ["MONDAY"], is_case_sensitive: 1 })).toEqual(["Monday", "tuesday"]);
    expect(normalized([words], { case_change_action: "LOWER" })).toEqual([["monday", "tuesday", "monday"]]);
    expect(normalized(["İ"], { case_change_action: "LOWER", locale: "tr_TR.UTF-8" })).toEqual(["i"]);
  });
  it("leaves one empty string where nothing is left", () => {
    expect(normalized(["a"], { stopwords: ["a"] })).toEqual([""]);
    expect(normalized([["a"]], { stopwords: ["A"], locale: "C" })).toEqual([[""]]);
  });
});

describe("StringConcat", () => {
  it("broadcasts", () => {
    expect(nestedOf(run("StringConcat", [strings([["a"], ["b"]]), strings(["x", "y"])])[0]!)).toEqual([
      ["ax", "ay"],
      ["bx", "by"],
    ]);
  });
});

describe("StringSplit", () => {
  const split = (x: unknown, attributes: Record<string, string | number>): unknown[] =>
    run("StringSplit", [strings(x)], attributes, { outputs: 2 }).map(nestedOf);

  it("splits on a delimiter, empty parts included", () => {
    expect(split(["a,b,,c", "d"], { delimiter: "," })).toEqual([
      [
        ["a", "b", "", "c"],
        ["d", "", "", ""],
      ],
      [4, 1],
    ]);
    expect(split(["a--b--c"], { delimiter: "--", maxsplit: 1 })).toEqual([[["a", "b--c"]], [2]]);
  });
  it("splits on runs of whitespace, as Python does", () => {
    expect(split(["  a  b\tc ", ""], {})).toEqual([
      [
        ["a", "b", "c"],
        ["", "", ""],
      ],
      [3, 0],
    ]);
    expect(split([" a b  c "], { maxsplit: 1 })).toEqual([[["a", "b  c "]], [2]]);
  });
});

describe("RegexFullMatch", () => {
  const matches = (pattern: string, ...x: string[]): unknown =>
    nestedOf(run("RegexFullMatch", [strings(x)], { pattern })[0]!);

  it("matches whole strings only, across RE2's and JavaScript's spellings", () => {
    expect(matches("a+|b", "aa", "ab", "b", "b\n")).toEqual([1, 0, 1, 0]);
    expect(matches("(?i)www\\.(?P<site>[\\w\\-]+)\\.com", "WWW.x-y.com", "www.x.comm")).toEqual([1, 0]);
    expect(matches("(?m)^a$", "a", "a\nb")).toEqual([1, 0]);
    expect(matches("\\@.", "@😀", "@ab")).toEqual([1, 0]);
    expect(() => matches("(", "a")).toThrow(/no pattern/);
  });
});
