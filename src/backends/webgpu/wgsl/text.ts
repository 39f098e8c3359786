/** A piece of WGSL: the result of the tag `wgsl`, or a name. */
export class Wgsl {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

/** What can stand in a template: text as it is, integers as literals, arrays as lines. Floats need `f32(x)`. */
export type Piece = Wgsl | string | number | readonly Piece[];

/**
 * A template of WGSL. Pieces with several lines keep the indentation of the place where they stand; an integer becomes a literal.
 * @throws TypeError for a number that is no integer: `f32(x)` says which float it is.
 */
export function wgsl(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Wgsl {
  let text = "";
  strings.forEach((string, i) => {
    text += string;
    if (i >= pieces.length) return;
    const line = text.slice(text.lastIndexOf("\n") + 1);
    const indent = /^\s*/.exec(line)![0];
    text += textOf(pieces[i]!).replaceAll("\n", `\n${indent}`) || NOTHING;
  });
  return new Wgsl(dedent(withoutEmptyLines(text)));
}

/** Stands for a piece without text, so that the line that it leaves empty can go. */
const NOTHING = "\0";

const withoutEmptyLines = (text: string): string => text.replace(/^\s*\0\s*\n/gm, "").replaceAll(NOTHING, "");

function textOf(piece: Piece): string {
  if (piece instanceof Wgsl) return piece.text;
  if (typeof piece === "string") return piece;
  if (typeof piece === "number") {
    if (!Number.isInteger(piece)) throw new TypeError(`${piece} is no integer: write f32(${piece})`);
    return String(piece);
  }
  return piece
    .map(textOf)
    .filter((line) => line !== "")
    .join("\n");
}

/** Removes the blank first and last line and what all lines are indented by. */
function dedent(text: string): string {
  const lines = text.split("\n");
  if (lines.length === 1) return text;
  if (lines[0]!.trim() === "") lines.shift();
  if (lines.at(-1)?.trim() === "") lines.pop();
  const depths = lines.filter((line) => line.trim() !== "").map((line) => /^ */.exec(line)![0].length);
  const depth = Math.min(...depths);
  return lines.map((line) => line.slice(depth)).join("\n");
}

/** A float32 literal. Infinities and NaN are no WGSL constants: use `LOWEST`, or pass them as uniforms. */
export function f32(value: number): Wgsl {
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded)) throw new TypeError(`${value} is no WGSL constant`);
  const text = Number.isInteger(rounded) && Math.abs(rounded) < 1e15 ? rounded.toFixed(1) : String(rounded);
  return new Wgsl(Object.is(rounded, -0) ? "-0.0f" : `${text}f`);
}

/** The lowest float32, as the start of a maximum. */
export const LOWEST = new Wgsl("-3.4028234663852886e38f");

/** Lines from 0 to `count` - 1: for unrolled loops. */
export const unroll = (count: number, line: (i: number) => Piece): readonly Piece[] =>
  Array.from({ length: count }, (_, i) => line(i));
