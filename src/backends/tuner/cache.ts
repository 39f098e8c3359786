import { NonzeroError } from "../../tensor/index.js";
import { hashOf } from "./choices.js";
import type { TuneResult } from "./tune.js";

/** Where results are kept between processes, by name: a folder, a page's storage, or the user's own. */
export interface TuningCache {
  /** The text under that name; null where there is none. */
  read(name: string): Promise<string | null>;
  /** Keeps all of the text or, where it fails, what was there. */
  write(name: string, text: string): Promise<void>;
}

/** What is known of one decision. */
export interface TuningEntry {
  /** The candidate to take, as JSON. */
  readonly choice: string;
  /** How many times as fast as the default it is; 1 for the default. */
  readonly ratio: number;
}

export type TuningEntries = ReadonlyMap<string, TuningEntry>;

const FORMAT = "nonzero-tuning/1";
/** The oldest go first. */
const MOST_ENTRIES = 4096;

/** The name under which a device's results are kept; `identity` says all that they depend on besides what is in their keys. */
export const nameOf = (identity: string): string =>
  `${identity
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, "-")
    .slice(0, 80)}-${hashOf(identity)}.json`;

export const entryOf = ({ choice, winner, ratio }: TuneResult): TuningEntry => ({
  choice,
  ratio: winner === 0 ? 1 : ratio,
});

/**
 * What the cache knows of a device. What it cannot read, or did not write, is passed over: `warn` hears of it, as a NonzeroError "io", and the
 * next write starts afresh.
 */
export async function readEntries(
  cache: TuningCache,
  identity: string,
  warn: (warning: NonzeroError) => void,
): Promise<Map<string, TuningEntry>> {
  const name = nameOf(identity);
  try {
    const text = await cache.read(name);
    return text === null ? new Map() : parseEntries(text, identity);
  } catch (cause) {
    const reason = `the tuning cache is passed over, the next result starts a new one: ${cause instanceof Error ? cause.message : cause}`;
    warn(new NonzeroError("io", reason, { file: name }, { cause }));
    return new Map();
  }
}

/** Adds to what the cache holds by now: another process may have written since. A cache that cannot be written is a warning too. */
export async function addEntries(
  cache: TuningCache,
  identity: string,
  added: Iterable<readonly [key: string, entry: TuningEntry]>,
  warn: (warning: NonzeroError) => void,
): Promise<void> {
  const entries = await readEntries(cache, identity, warn);
  for (const [key, entry] of added) {
    entries.delete(key); // the newest are last
    entries.set(key, entry);
  }
  try {
    await cache.write(nameOf(identity), entriesText(entries, identity));
  } catch (cause) {
    const reason = `the tuning cache cannot be written: ${cause instanceof Error ? cause.message : cause}`;
    warn(new NonzeroError("io", reason, { file: nameOf(identity) }, { cause }));
  }
}

export function entriesText(entries: TuningEntries, device: string): string {
  const kept = Object.fromEntries([...entries].slice(-MOST_ENTRIES));
  return `${JSON.stringify({ format: FORMAT, device, entries: kept }, null, 1)}\n`;
}

/** @throws Error, saying what is wrong, for text that is no cache of that device. */
export function parseEntries(text: string, device: string): Map<string, TuningEntry> {
  const parsed = JSON.parse(text) as Partial<Record<"format" | "device" | "entries", unknown>> | null;
  if (parsed?.format !== FORMAT) throw new Error(`its format is not ${FORMAT}`);
  if (parsed.device !== device) throw new Error("it is another device's");
  const { entries } = parsed;
  if (typeof entries !== "object" || entries === null || Array.isArray(entries)) throw new Error("it has no entries");
  const list = Object.entries(entries as Record<string, unknown>).slice(-MOST_ENTRIES);
  return new Map(
    list.map(([key, entry]) => {
      const { choice, ratio } = (entry ?? {}) as Partial<TuningEntry>;
      if (typeof choice !== "string" || typeof ratio !== "number") throw new Error(`the entry '${key}' is malformed`);
      return [key, { choice, ratio }];
    }),
  );
}
