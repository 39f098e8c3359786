import { expect, test } from "vitest";
import { seconds } from "./tune.js";

test.each([
  ["30s", 30],
  ["30", 30],
  ["2m", 120],
  ["1.5h", 5400],
  ["500ms", 0.5],
])("%s is %d seconds", (text, value) => expect(seconds(text)).toBe(value));

test.each(["", "s", "-1s", "0", "1d", "2m30s", "25h", "Infinity"])("'%s' is no budget", (text) => {
  expect(() => seconds(text)).toThrow(/such as 30s/);
});
