import type { Timed } from "../../src/cli/bench/paired.js";
import { type Contestant, pairedTimes } from "../../src/cli/bench/paired.js";
import { loadPeers, type Peer } from "./peers/index.js";
import type { Case } from "./results.js";

/** What a section is given: how long, on how many threads, whom to tell. */
export interface Bench {
  readonly threads: number;
  /** For each contestant of a case, warm-up not counted. */
  readonly seconds: number;
  /** A few small cases, to see that everything runs. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** Of `peakGflops`. */
  readonly peak: number;
  /** Keeps a case: it is in the file before the next one starts. One with the title of the last takes its place. */
  readonly add: (measured: Case) => void;
  /** Why something is not compared with; kept with the next case. */
  readonly missing: string[];
  /** Loaded once. */
  peers(): Promise<readonly Peer[]>;
  /** Versions of what took part. */
  readonly versions: Record<string, string>;
}

export function peersOf(bench: Pick<Bench, "threads" | "missing" | "versions" | "say">): Bench["peers"] {
  let loaded: Promise<readonly Peer[]> | undefined;
  return () => {
    loaded ??= loadPeers(bench.threads, (why) => {
      bench.say(why);
      bench.missing.push(why);
    }).then((peers) => {
      for (const { name, version } of peers) bench.versions[name] = version;
      return peers;
    });
    return loaded;
  };
}

/** Times contestants in turn; their times by name, or null where that was stopped before each had its turn. */
export async function timed(
  { signal, say, seconds }: Pick<Bench, "signal" | "say" | "seconds">,
  contestants: readonly Contestant[],
): Promise<ReadonlyMap<string, Timed> | null> {
  let said = "";
  const times = await pairedTimes(contestants, {
    seconds,
    signal,
    onProgress(share, doing) {
      const line = `  ${Math.floor(5 * share) * 20} % ${doing.startsWith("round") ? "timing in turn" : doing}`;
      if (line !== said) say(line);
      said = line;
    },
  });
  return times.some(({ samples }) => samples.length === 0) ? null : new Map(times.map((one) => [one.name, one]));
}
