import type { LayerPruner } from "../layer-pruner.js";
import { admm } from "./admm.js";
import { alps } from "./alps.js";
import { dsnot } from "./dsnot.js";
import { obc } from "./obc.js";
import { magnitudePruner, optimalBrainDamage, ria } from "./scores.js";
import { sparseGpt } from "./sparse-gpt.js";
import { wanda } from "./wanda.js";

export { type AdmmOptions, admm } from "./admm.js";
export { type AlpsOptions, alps } from "./alps.js";
export { type DsnotOptions, dsnot } from "./dsnot.js";
export { leastSquares } from "./least-squares.js";
export { type ObcOptions, obc } from "./obc.js";
export { magnitudePruner, optimalBrainDamage, type RiaOptions, ria } from "./scores.js";
export { type SparseGptOptions, sparseGpt } from "./sparse-gpt.js";
export { type WandaOptions, wanda } from "./wanda.js";

/** Every method, by name. */
export const LAYER_PRUNERS: ReadonlyMap<string, LayerPruner> = new Map(
  [magnitudePruner, wanda, ria, optimalBrainDamage, dsnot, sparseGpt, obc, admm, alps].map((method) => [
    method.name,
    method as LayerPruner,
  ]),
);
