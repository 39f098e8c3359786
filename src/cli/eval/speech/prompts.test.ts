import { describe, expect, it } from "vitest";
import { SAMPLE_RATE } from "./moonshine.js";
import { chunksOf, type Prompt } from "./prompts.js";

const prompt = (seconds: number, value: number): Prompt => ({
  name: `${value}`,
  text: "",
  words: [],
  samples: new Float32Array(seconds * SAMPLE_RATE).fill(value),
});

describe("chunksOf", () => {
  it("joins prompts in order, as long as they fit", () => {
    const chunks = chunksOf([prompt(1, 1), prompt(2, 2), prompt(2, 3), prompt(5, 4)], () => 3);
    expect(chunks.map((chunk) => chunk.length / SAMPLE_RATE)).toEqual([3, 2, 5]);
    expect([chunks[0]![0], chunks[0]!.at(-1), chunks[1]![0], chunks[2]![0]]).toEqual([1, 2, 3, 4]);
  });

  it("asks for each chunk's length", () => {
    const lengths = [1, 2, 1];
    const chunks = chunksOf([prompt(1, 1), prompt(1, 2), prompt(1, 3), prompt(1, 4)], () => lengths.shift()!);
    expect(chunks.map((chunk) => chunk.length / SAMPLE_RATE)).toEqual([1, 2, 1]);
  });
});
