import { describe, expect, it } from "vitest";
import { Choices, type Decision, hashOf, type Place, textOf } from "./choices.js";

const place = {} as Place;
const spec = { M: 8, epilogue: { bias: true, params: [1, 2] } };

/** What is decided for `spec` among `candidates`. */
const decisionOf = async (choices: Choices, candidates: readonly [unknown, ...unknown[]]): Promise<Decision> => {
  const heard: Decision[] = [];
  await choices.listening(
    (decision) => heard.push(decision),
    () => choices.pick("linear", spec, candidates, place),
  );
  return heard[0]!;
};

describe("Choices", () => {
  const candidates = [null, { width: 12, slab: 128 }, { width: 8, slab: 256 }] as const;

  it("takes the default until told otherwise", async () => {
    const choices = new Choices();
    expect(choices.pick("linear", spec, candidates, place)).toBeNull();
    const { key } = await decisionOf(choices, candidates);
    choices.set(key, textOf({ slab: 256, width: 8 }));
    expect(choices.pick("linear", { epilogue: { params: [1, 2], bias: true }, M: 8 }, candidates, place)).toBe(
      candidates[2],
    );
    expect(choices.pick("linear", { ...spec, M: 9 }, candidates, place)).toBeNull();
    expect(choices.pick("conv", spec, candidates, place)).toBeNull();
  });

  it("takes nothing that is not offered", async () => {
    const choices = new Choices();
    const { key } = await decisionOf(choices, candidates);
    choices.set(key, textOf({ width: 1000, slab: 1 }));
    expect(choices.pick("linear", spec, candidates, place)).toBeNull();
  });

  it("forgets what it knows where other candidates are offered", async () => {
    const choices = new Choices();
    choices.set((await decisionOf(choices, candidates)).key, textOf(candidates[1]));
    expect(choices.pick("linear", spec, [null, candidates[1], { width: 4 }], place)).toBeNull();
  });

  it("does not ask where there is nothing to choose", async () => {
    expect(await decisionOf(new Choices(), [{ only: 1 }])).toBeUndefined();
  });

  it("copies are independent", async () => {
    const choices = new Choices();
    const { key } = await decisionOf(choices, candidates);
    const copy = choices.copy();
    copy.set(key, textOf(candidates[1]));
    expect(choices.pick("linear", spec, candidates, place)).toBeNull();
    expect(copy.pick("linear", spec, candidates, place)).toBe(candidates[1]);
  });
});

it("hashes as FNV-1a does", () => {
  expect(hashOf("")).toBe("811c9dc5");
  expect(hashOf("a")).toBe("e40c292c");
  expect(hashOf("foobar")).toBe("bf9cf968");
});
