import { blocks } from "./blocks.js";
import { crossover } from "./crossover.js";
import { native } from "./native.js";
import { real } from "./real.js";
import { sam } from "./sam.js";
import type { Section } from "./section.js";
import { twoFour } from "./two-four.js";
import { models } from "./vit.js";

export type { Section } from "./section.js";

/** In the order in which they run. */
export const SECTIONS: readonly Section[] = [crossover, blocks, twoFour, native, models, real, sam];
