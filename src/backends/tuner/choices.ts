import type { Specialized, Step } from "../../compiler/index.js";

/** The node that a decision is about. */
export interface Place {
  readonly step: Step;
  /** The graph that the step is of. */
  readonly spec: Specialized;
}

/** Something that lowering leaves to measurement. Candidates are JSON texts, the default first. */
export interface Decision extends Place {
  readonly key: string;
  readonly subject: string;
  readonly candidates: readonly string[];
}

/**
 * Which of the ways to compute a node a device takes: the default, unless measurement has found a faster one. Only candidates that a kernel offers
 * now are ever taken: what a cache says of others is passed over. Candidates must give the same results, but for the rounding of floats.
 */
export class Choices {
  readonly #chosen: Map<string, string>;
  #hear: ((decision: Decision) => void) | null = null;

  constructor(chosen: Iterable<readonly [key: string, candidate: string]> = []) {
    this.#chosen = new Map(chosen);
  }

  /** One of `candidates` for what `subject`, a kernel's name for one, computes by `spec`, which is pure data. */
  pick<C>(subject: string, spec: unknown, candidates: readonly [C, ...C[]], place: Place): C {
    if (candidates.length === 1) return candidates[0];
    const texts = candidates.map(textOf);
    const key = keyOf(subject, spec, texts);
    this.#hear?.({ ...place, key, subject, candidates: texts });
    const chosen = this.#chosen.get(key);
    return candidates[Math.max(0, chosen === undefined ? 0 : texts.indexOf(chosen))]!;
  }

  /** Whether that was decided by measurement. */
  has(key: string): boolean {
    return this.#chosen.has(key);
  }

  set(key: string, candidate: string): void {
    this.#chosen.set(key, candidate);
  }

  /** The same choices, to be changed independently. */
  copy(): Choices {
    return new Choices(this.#chosen);
  }

  /** Tells `hear` of every decision that `body` meets. */
  async listening<T>(hear: (decision: Decision) => void, body: () => T | Promise<T>): Promise<T> {
    this.#hear = hear;
    try {
      return await body();
    } finally {
      this.#hear = null;
    }
  }
}

/** What a decision is known by. Kernels that come to offer other candidates are measured anew. */
const keyOf = (subject: string, spec: unknown, candidates: readonly string[]): string =>
  `${subject} ${hashOf(candidates.join("\n"))} ${textOf(spec)}`;

/** JSON with the fields of objects in alphabetical order. */
export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/** 32 bits in hexadecimal: Fowler, Noll and Vo's FNV-1a of the UTF-16 code units. */
export function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
