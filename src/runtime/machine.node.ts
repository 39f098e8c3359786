import { createHash, randomUUID } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { NonzeroError } from "../tensor/index.js";
import type { MachineHost } from "./machine.js";

/** `$NONZERO_CACHE`, or `nonzero` in `$XDG_CACHE_HOME`, by default `~/.cache` (relative paths count as unset). */
function cacheFolder(): string {
  const { NONZERO_CACHE: own, XDG_CACHE_HOME: home } = process.env;
  return own ?? join(home && isAbsolute(home) ? home : join(homedir(), ".cache"), "nonzero");
}

const fileOf = (key: string): string =>
  join(cacheFolder(), `machine-${createHash("sha256").update(key).digest("hex").slice(0, 16)}.json`);

/** Node's side of `thisMachine`: a file for each machine. */
export const nodeMachineHost = (): MachineHost => ({
  name: cpus()[0]?.model.trim() ?? arch(),
  engine: `v8 ${process.versions.v8}`,
  caches: cachesOf(),
  read(key) {
    try {
      return readFileSync(fileOf(key), "utf8");
    } catch {
      return null;
    }
  },
  write(key, text) {
    const file = fileOf(key);
    const temporary = `${file}.${randomUUID()}.tmp`;
    try {
      mkdirSync(cacheFolder(), { recursive: true });
      const fd = openSync(temporary, "wx");
      try {
        writeFileSync(fd, text);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, file);
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw new NonzeroError("io", (cause as Error).message, { file }, { cause });
    }
  },
});

/** Linux tells the caches of a processor, by level; the instructions' own do not count. */
function cachesOf(): number[] | null {
  const sizes: number[] = [];
  try {
    for (let i = 0; i < 8; i++) {
      const read = (field: string): string =>
        readFileSync(`/sys/devices/system/cpu/cpu0/cache/index${i}/${field}`, "utf8").trim();
      if (read("type") === "Instruction") continue;
      sizes[Number(read("level")) - 1] = Number.parseInt(read("size"), 10) * 1024;
    }
  } catch {
    // No such index, or no Linux.
  }
  return sizes.length > 0 && Array.from(sizes).every((size) => size > 0) ? sizes : null; // a level that is left out is a hole
}
