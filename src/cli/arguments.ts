import { InvalidArgumentError } from "commander";

/** Gathers a repeatable option's values. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** A number that is not negative. */
export function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0))
    throw new InvalidArgumentError("expected a number of at least 0, such as 1e-3.");
  return value;
}

/** Seconds, a day at most. */
export function positiveSeconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 86400)) throw new InvalidArgumentError("expected a number of seconds above 0.");
  return value;
}

/** A whole number of at least `least`. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`expected a whole number of at least ${least}.`);
    return value;
  };
