import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { NonzeroError } from "../../tensor/index.js";

/** A file under a temporary name, until all are renamed together. */
export interface NewFile {
  write(bytes: Uint8Array, offset: number): Promise<void>;
}

/** Written at a time, so that an abort is noticed soon. */
const CHUNK = 2 ** 24;

/**
 * Writes files that belong together. Each gets a temporary name in its own folder; when `body` has written all, they are flushed to
 * the disk and renamed in the order in which they were created. If anything fails, nothing is left of them.
 * @throws NonzeroError "io" or "aborted".
 */
export async function writeTogether(
  signal: AbortSignal | undefined,
  body: (create: (path: string) => Promise<NewFile>) => Promise<void>,
): Promise<void> {
  const files: { handle: FileHandle; temporary: string; path: string }[] = [];
  const checkAborted = (): void => {
    if (signal?.aborted) throw new NonzeroError("aborted", "writing was aborted");
  };
  try {
    checkAborted();
    await body(async (path) => {
      const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
      const handle = await open(temporary, "wx");
      files.push({ handle, temporary, path });
      return {
        async write(bytes, offset) {
          for (let done = 0; done < bytes.length; ) {
            checkAborted();
            const length = Math.min(CHUNK, bytes.length - done);
            done += (await handle.write(bytes, done, length, offset + done)).bytesWritten;
          }
        },
      };
    });
    for (const { handle } of files) {
      await handle.sync();
      await handle.close();
    }
    checkAborted();
    for (const { temporary, path } of files) await rename(temporary, path);
  } catch (error) {
    for (const { handle, temporary } of files) {
      await handle.close().catch(() => undefined);
      await rm(temporary, { force: true });
    }
    if (error instanceof NonzeroError) throw error;
    throw new NonzeroError("io", (error as Error).message, {}, { cause: error });
  }
}
