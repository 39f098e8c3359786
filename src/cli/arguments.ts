import { InvalidArgumentError } from "commander";

/** Gathers a repeatable option's values. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** A whole number of at least `least`. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`expected a whole number of at least ${least}.`);
    return value;
  };
