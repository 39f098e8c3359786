import type { Pattern } from "../sparsity/index.js";

/**
 * What a pattern lets a method choose among, for methods that choose step by step instead of all at once: `n:m` of neighbouring blocks of
 * height × width (1 × 1 for n:m itself, V × 1 for V:n:m), or a percentage of such blocks pruned, of the whole matrix or of each row, with
 * n:m inside them or not. `whole` is chosen all at once, by `pattern.select`.
 */
export type PatternForm =
  | { readonly kind: "dense" }
  | { readonly kind: "groups"; readonly height: number; readonly width: number; readonly n: number; readonly m: number }
  | {
      readonly kind: "share";
      readonly height: number;
      readonly width: number;
      readonly percent: number;
      readonly perRow: boolean;
      readonly inside: { readonly n: number; readonly m: number } | null;
    }
  | { readonly kind: "rows" | "cols"; readonly percent: number }
  | { readonly kind: "whole" };

/** Read off the pattern's text, which is canonical. */
export function formOf(pattern: Pattern): PatternForm {
  const numbers = (pattern.text.match(/\d+(?:\.\d+)?/g) ?? []).map(Number);
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = numbers;
  const share = { kind: "share", height: 1, width: 1, perRow: false, inside: null } as const;
  switch (pattern.kind) {
    case "dense":
      return { kind: "dense" };
    case "unstructured":
      return { ...share, percent: a, perRow: pattern.text.endsWith("/row") };
    case "n:m":
      return { kind: "groups", height: 1, width: 1, n: a, m: b };
    case "v:n:m":
      return { kind: "groups", height: a, width: 1, n: b, m: c };
    case "block-n:m":
      return { kind: "groups", height: a, width: b, n: c, m: d };
    case "block":
      return { ...share, height: a, width: b, percent: c };
    case "block+n:m":
      return { ...share, height: a, width: b, percent: c, inside: { n: d, m: e } };
    case "rows":
    case "cols":
      return { kind: pattern.kind, percent: a };
    default:
      return { kind: "whole" };
  }
}
