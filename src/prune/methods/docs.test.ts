import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LAYER_PRUNERS } from "./index.js";

test("docs/pruning.md lists every method, with what it needs", () => {
  const page = readFileSync(new URL("../../../docs/pruning.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (yes|no) \|/gm)].map(([, name, needs, changes]) => ({
    name,
    needs,
    changes,
  }));
  expect(rows).toEqual(
    [...LAYER_PRUNERS.values()].map(({ name, needs }) => ({ name, needs, changes: needs === "gram" ? "yes" : "no" })),
  );
});
