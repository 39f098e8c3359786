import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { TuningCache } from "./cache.js";

/**
 * `tuning` in `$NONZERO_CACHE`, or in `$XDG_CACHE_HOME/nonzero`, by default in `~/.cache` (XDG Base Directory Specification, where relative paths count
 * as unset).
 */
export function defaultFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const { NONZERO_CACHE: own, XDG_CACHE_HOME: home } = environment;
  return join(own ?? join(home?.startsWith("/") ? home : join(homedir(), ".cache"), "nonzero"), "tuning");
}

/**
 * Files in a folder, by default `defaultFolder`, which is made when first written to; a file is written under another name and then renamed, so that
 * it is always whole.
 */
export const fileCache = (given?: string): TuningCache => ({
  async read(name) {
    try {
      return await readFile(join(given ?? defaultFolder(), name), "utf8");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw cause;
    }
  },
  async write(name, text) {
    const folder = given ?? defaultFolder(); // asked for late: a user without a home has none
    await mkdir(folder, { recursive: true });
    const temporary = join(folder, `${name}.${randomUUID()}.tmp`);
    try {
      await writeFile(temporary, text, { flag: "wx" });
      await rename(temporary, join(folder, name));
    } catch (cause) {
      await rm(temporary, { force: true });
      throw cause;
    }
  },
});
