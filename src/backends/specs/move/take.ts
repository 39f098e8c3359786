import type { ElementBytes } from "../node.js";

/** [outer, input, inner] to [outer, output, inner]: position j of the middle axis is position indices[j] of the input's. */
export interface Take {
  readonly bytes: ElementBytes;
  readonly outer: number;
  readonly input: number;
  readonly inner: number;
  readonly indices: Int32Array;
}

/** Words of tables that the launches of a take carry along, at most. */
export const MOST_TABLE_WORDS = 1 << 14;
