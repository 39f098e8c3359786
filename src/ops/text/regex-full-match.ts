import { Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";

interface RegexFullMatchAttributes {
  readonly pattern: RegExp;
}

/**
 * ONNX RegexFullMatch: whether the pattern matches the whole string, as bool. ONNX asks for RE2's syntax; what JavaScript
 * writes otherwise (`(?P<name>…)`, inline flags at the start) is translated, the rest must be common to both.
 * The engine backtracks, where RE2 runs in linear time: a hostile pattern can be slow.
 */
export const regexFullMatch: Operator<RegexFullMatchAttributes> = {
  name: "RegexFullMatch",
  domain: "",
  attributes(node) {
    const text = node.string("pattern");
    const flags = /^\(\?([ims]+)\)/.exec(text);
    const body = text
      .slice(flags?.[0].length ?? 0)
      .replaceAll("(?P<", "(?<")
      .replace(/\\([\s\S])/g, plain);
    const whole = `(?<![^])(?:${body})(?![^])`; // not ^ and $, which the flag m would let match at line ends
    const asked = [...new Set(flags?.[1] ?? "")].join("");
    try {
      return { pattern: compiled(whole, asked) };
    } catch (error) {
      return node.fail("pattern", `'${text}' is no pattern: ${(error as Error).message}`);
    }
  },
  infer: (inputs) => [{ dtype: "bool", shape: need(inputs, 0).type.shape }],
  evaluate(inputs, { pattern }) {
    const x = need(inputs, 0);
    return [
      Tensor.from(
        "bool",
        x.shape,
        x.strings().map((s) => (pattern.test(s) ? 1 : 0)),
      ),
    ];
  },
};

/** RE2 allows a plain character to be escaped (`\@`), the flag u does not. */
const plain = (pair: string, escaped: string): string => (/[\w\s^$\\.*+?()[\]{}|/-]/.test(escaped) ? pair : escaped);

/** By code points where that can be; the flag u refuses some patterns that RE2 allows. */
function compiled(pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, `${flags}u`);
  } catch {
    return new RegExp(pattern, flags);
  }
}
