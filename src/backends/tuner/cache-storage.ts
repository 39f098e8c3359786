import type { TuningCache } from "./cache.js";

/** Requests that no server ever sees: keys of the cache. */
const keyOf = (name: string): string => `https://nonzero.invalid/tuning/${encodeURIComponent(name)}`;

/** In the Cache API of a page or worker (`caches`, which secure contexts have), kept by origin; null where there is none. */
export function storageCache(storage: CacheStorage | undefined = storageHere()): TuningCache | null {
  if (storage === undefined) return null;
  const open = (): Promise<Cache> => storage.open("nonzero-tuning");
  return {
    async read(name) {
      const response = await (await open()).match(keyOf(name));
      return response === undefined ? null : response.text();
    },
    async write(name, text) {
      await (await open()).put(keyOf(name), new Response(text));
    },
  };
}

function storageHere(): CacheStorage | undefined {
  try {
    return globalThis.caches;
  } catch {
    return undefined; // frames in a sandbox, which have no origin, may not even ask
  }
}
