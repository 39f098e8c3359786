import { NonzeroError } from "../tensor/index.js";
import type { Layout } from "./layout.js";

/** The layout that a text names: `csr`, `bsr:16x16`, `semi-structured`, `n:m:1:4`, `v:n:m:4:2:4`. @throws NonzeroError "layout". */
export function parseLayout(text: string): Layout {
  throw new NonzeroError("layout", `no layout '${text}'`);
}
