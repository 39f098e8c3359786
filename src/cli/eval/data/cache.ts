import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { NonzeroError } from "../../../tensor/index.js";

/** A file of known content on the web. */
export interface RemoteFile {
  readonly url: string;
  /** Of the whole file, in hex. */
  readonly sha256: string;
}

/** Where data is kept between runs: `$NONZERO_CACHE`, or `nonzero` in the user's cache folder. */
export const cacheFolder = (): string =>
  process.env.NONZERO_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "nonzero");

/**
 * The file in the cache, downloaded when it is not there. Nothing but the right content ever gets its name.
 * @throws NonzeroError "io" where it cannot be had, or is not what its sha256 says; "aborted".
 */
export async function download({ url, sha256 }: RemoteFile, signal: AbortSignal): Promise<string> {
  const folder = cacheFolder();
  const file = join(folder, `${sha256.slice(0, 16)}-${url.slice(url.lastIndexOf("/") + 1)}`);
  if (existsSync(file)) return file;
  const part = `${file}.${process.pid}.part`;
  try {
    mkdirSync(folder, { recursive: true });
    const response = await fetch(url, { signal });
    if (!response.ok || response.body === null) throw new NonzeroError("io", `the server answers ${response.status}`);
    await pipeline(Readable.fromWeb(response.body as never), createWriteStream(part), { signal });
    const found = await hashOf(part);
    if (found !== sha256) throw new NonzeroError("io", `its sha256 is ${found}, not ${sha256}`);
    renameSync(part, file);
    return file;
  } catch (cause) {
    if (signal.aborted) throw new NonzeroError("aborted", "the download was stopped");
    if (cause instanceof NonzeroError) throw cause.at({ file: url });
    const { message, cause: inner } = cause as Error;
    throw new NonzeroError(
      "io",
      `it cannot be downloaded: ${(inner as Error | undefined)?.message ?? message}`,
      { file: url },
      { cause },
    );
  } finally {
    rmSync(part, { force: true });
  }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
