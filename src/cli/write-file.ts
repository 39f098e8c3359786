import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { NonzeroError } from "../tensor/index.js";

/** Writes a file whole or not at all: to a temporary one beside it, which then takes its name. @throws NonzeroError "io". */
export function replaceFile(file: string, data: Uint8Array | string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const fd = openSync(temporary, "wx");
    try {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new NonzeroError("io", (cause as Error).message, { file }, { cause });
  }
}
