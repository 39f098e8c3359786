import { NonzeroError } from "../tensor/index.js";
import { block, blockWithGroups } from "./block.js";
import { blockGroups } from "./block-n-m.js";
import { dense } from "./dense.js";
import { nm } from "./n-m.js";
import type { Pattern } from "./pattern.js";
import { shuffledBlock } from "./shuffled-block.js";
import { cols, rows } from "./structured.js";
import { unstructured, unstructuredPerRow } from "./unstructured.js";
import { vnm } from "./v-n-m.js";

/** A share is a decimal number of percent; an integer has no leading zero. */
const SHARE = "(\\d+(?:\\.\\d{1,6})?)%";
const INT = "([1-9]\\d{0,3})";
const SIZE = `${INT}x${INT}`;
const GROUP = `${INT}:${INT}`;

const FORMS: readonly (readonly [RegExp, (...numbers: number[]) => Pattern])[] = [
  form("dense", () => dense),
  form(`(?:unstructured@)?${SHARE}`, (p) => unstructured(p!)),
  form(`(?:unstructured@)?${SHARE}/row`, (p) => unstructuredPerRow(p!)),
  form(GROUP, (n, m) => nm(n!, m!)),
  form(`${INT}:${GROUP}`, (v, n, m) => vnm(v!, n!, m!)),
  form(`block:${SIZE}@${SHARE}`, (r, c, p) => block(r!, c!, p!)),
  form(`block:${SIZE}@${SHARE}\\+${GROUP}`, (r, c, p, n, m) => blockWithGroups(r!, c!, p!, n!, m!)),
  form(`block:${SIZE}:${GROUP}`, (r, c, n, m) => blockGroups(r!, c!, n!, m!)),
  form(`shuffled-block:${SIZE}@${SHARE}`, (r, c, p) => shuffledBlock(r!, c!, p!)),
  form(`rows@${SHARE}`, (p) => rows(p!)),
  form(`cols@${SHARE}`, (p) => cols(p!)),
];

/**
 * The pattern that a text names.
 *
 * ```ebnf
 * pattern = "dense"
 *         | [ "unstructured@" ] share [ "/row" ]          (* of the matrix, or of each row *)
 *         | group                                          (* n:m *)
 *         | int ":" group                                  (* V:n:m *)
 *         | "block:" size "@" share [ "+" group ]          (* blocks, with n:m inside them *)
 *         | "block:" size ":" group                        (* n:m over blocks *)
 *         | "shuffled-block:" size "@" share
 *         | ( "rows" | "cols" ) "@" share ;
 * group   = int ":" int ;                                  (* n ":" m: n kept of m, 1 ≤ n ≤ m, 2 ≤ m ≤ 4096 *)
 * size    = int "x" int ;                                  (* outputs "x" inputs, each 1 to 4096 *)
 * share   = digits [ "." digits ] "%" ;                    (* pruned, 0 to 100, at most six decimals *)
 * int     = nonzero { digit } ;
 * ```
 *
 * @throws NonzeroError "invalid-argument".
 */
export function parsePattern(text: string): Pattern {
  for (const [expression, make] of FORMS) {
    const match = expression.exec(text);
    if (match !== null) return make(...match.slice(1).map(Number));
  }
  throw new NonzeroError(
    "invalid-argument",
    `'${text}' is not a pattern such as 50%, 2:4, 4:2:4, block:16x16@90% or rows@25%`,
  );
}

function form(
  source: string,
  make: (...numbers: number[]) => Pattern,
): readonly [RegExp, (...numbers: number[]) => Pattern] {
  return [new RegExp(`^${source}$`), make];
}
