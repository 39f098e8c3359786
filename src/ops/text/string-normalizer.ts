import { NonzeroError, Tensor } from "../../tensor/index.js";
import { isConcrete, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { unknownDim } from "../shape/dims.js";

interface StringNormalizerAttributes {
  readonly change: "LOWER" | "UPPER" | "NONE";
  readonly caseSensitive: boolean;
  /** A BCP 47 tag; undefined where the model's names none that is known here. */
  readonly locale: string | undefined;
  readonly stopwords: readonly string[];
}

/**
 * ONNX StringNormalizer: the strings of [C] or [1, C] that are no stopwords, in lower or upper case where asked. A result
 * without strings is one empty string.
 */
export const stringNormalizer: Operator<StringNormalizerAttributes> = {
  name: "StringNormalizer",
  domain: "",
  shapeInputs: [0],
  attributes: (node) => ({
    change: node.oneOf("case_change_action", ["LOWER", "UPPER", "NONE"], "NONE"),
    caseSensitive: node.flag("is_case_sensitive"),
    locale: localeOf(node.string("locale", "en_US")),
    stopwords: node.strings("stopwords", []),
  }),
  infer(inputs, a) {
    const { type, value } = need(inputs, 0);
    if (isConcrete(type.shape)) checkShape(type.shape);
    if (value !== undefined) return [{ dtype: "string", shape: normalized(value, a).shape }];
    const keeps = a.stopwords.length === 0 && isConcrete(type.shape) && type.shape.at(-1) !== 0;
    return [{ dtype: "string", shape: keeps ? type.shape : (type.shape?.with(-1, unknownDim()) ?? null) }];
  },
  evaluate: (inputs, a) => [normalized(need(inputs, 0), a)],
};

function checkShape(shape: readonly number[]): void {
  if (shape.length !== 1 && !(shape.length === 2 && shape[0] === 1))
    throw new NonzeroError("shape", `expected [C] or [1, C], found [${shape}]`);
}

function normalized(x: Tensor, { change, caseSensitive, locale, stopwords }: StringNormalizerAttributes): Tensor {
  checkShape(x.shape);
  const lower = (s: string): string => s.toLocaleLowerCase(locale);
  const fold = caseSensitive ? (s: string) => s : lower;
  const stops = new Set(stopwords.map(fold));
  const kept = x.strings().filter((s) => !stops.has(fold(s)));
  const changed = kept.map((s) =>
    change === "LOWER" ? lower(s) : change === "UPPER" ? s.toLocaleUpperCase(locale) : s,
  );
  const result = changed.length === 0 ? [""] : changed;
  return new Tensor("string", x.shape.with(-1, result.length), result);
}

/** POSIX names ("en_US.UTF-8") as BCP 47 ("en-US"). */
function localeOf(name: string): string | undefined {
  try {
    return Intl.getCanonicalLocales((name.split(".")[0] ?? "").replace("_", "-"))[0];
  } catch {
    return undefined; // "C" and the like: the rules of no language
  }
}
