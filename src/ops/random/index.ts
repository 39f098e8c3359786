import type { Operator } from "../operator.js";
import { bernoulli } from "./bernoulli.js";
import { dropout } from "./dropout.js";
import { multinomial } from "./multinomial.js";
import { randomNormal } from "./random-normal.js";
import { randomUniform } from "./random-uniform.js";

/** Random tensors. */
export const randomOperators: readonly Operator[] = [
  bernoulli,
  dropout,
  multinomial,
  ...randomNormal,
  ...randomUniform,
];
