import type { Operator } from "../operator.js";
import { regexFullMatch } from "./regex-full-match.js";
import { stringConcat } from "./string-concat.js";
import { stringNormalizer } from "./string-normalizer.js";
import { stringSplit } from "./string-split.js";

/** Strings. */
export const textOperators: readonly Operator[] = [regexFullMatch, stringConcat, stringNormalizer, stringSplit];
