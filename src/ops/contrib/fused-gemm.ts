import { mapNumbers } from "../elementwise.js";
import { need } from "../infer.js";
import { type GemmAttributes, gemm } from "../math/gemm.js";
import type { Operator } from "../operator.js";
import { fusedActivation } from "./activate.js";

export interface FusedGemmAttributes extends GemmAttributes {
  readonly activate: (x: number) => number;
}

/** com.microsoft FusedGemm: activation(alpha · A' · B' + beta · C), as Gemm. */
export const fusedGemm: Operator<FusedGemmAttributes> = {
  name: "FusedGemm",
  domain: "com.microsoft",
  attributes: (node) => {
    const parameters = ["activation_alpha", "activation_beta", "activation_gamma"]
      .map((name) => node.optional(name, "float"))
      .filter((value) => value !== undefined);
    return { ...(gemm.attributes(node) as GemmAttributes), activate: fusedActivation(node, parameters) };
  },
  infer: (inputs, a, context) => gemm.infer(inputs, a, context),
  evaluate: (inputs, a, context) => {
    const { dtype } = need(inputs, 0);
    const wide = inputs.map((x) => x?.to("float64") ?? null);
    return [mapNumbers(gemm.evaluate(wide, a, context)[0]!, a.activate, dtype)];
  },
};
