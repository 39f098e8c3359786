import { LAYER_PRUNERS, type LayerPruner } from "../prune/index.js";
import { NonzeroError } from "../tensor/index.js";

/** A method's options that a command line can give, with their defaults. */
const optionsOf = ({ defaults }: LayerPruner): [name: string, value: number | string][] =>
  Object.entries(defaults).filter(([, value]) => typeof value === "number" || typeof value === "string");

/** All methods' own options, for a help text. */
export const METHOD_OPTIONS = [...LAYER_PRUNERS.values()]
  .filter((method) => optionsOf(method).length > 0)
  .map(
    (method) =>
      `${method.name} ${optionsOf(method)
        .map((option) => option.join("="))
        .join(" ")}`,
  )
  .join("; ");

/** Options of a method from `NAME=VALUE` texts, of the type that its default has. @throws NonzeroError "invalid-argument". */
export function methodOptions(method: LayerPruner, texts: readonly string[]): object {
  const refuse = (reason: string): never => {
    throw new NonzeroError("invalid-argument", reason, { field: "--method-option" });
  };
  const known = new Map(optionsOf(method));
  return Object.fromEntries(
    texts.map((text) => {
      const [, name = "", value = ""] = /^([^=]+)=(.+)$/.exec(text) ?? refuse(`'${text}' is not NAME=VALUE`);
      const fallback = known.get(name);
      if (fallback === undefined)
        refuse(`'${method.name}' has no option '${name}'; it has ${[...known.keys()].join(", ") || "none"}`);
      if (typeof fallback === "string") return [name, value];
      if (!Number.isFinite(Number(value))) refuse(`'${value}' is no number`);
      return [name, Number(value)];
    }),
  );
}
