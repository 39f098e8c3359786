import { spawn } from "node:child_process";
import { NonzeroError } from "../../../tensor/index.js";

/**
 * Runs a program of the system to its end.
 * @throws NonzeroError "not-found" where it is not installed, "io" with its last words where it fails, "aborted".
 */
export async function runTool(tool: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn(tool, args, { stdio: ["ignore", "ignore", "pipe"], signal });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(-2000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).catch((cause: NodeJS.ErrnoException) => {
    if (signal.aborted) throw new NonzeroError("aborted", `${tool} was stopped`);
    const reason = cause.code === "ENOENT" ? `'${tool}' is needed and not installed` : cause.message;
    throw new NonzeroError(cause.code === "ENOENT" ? "not-found" : "io", reason, {}, { cause });
  });
  if (code !== 0) throw new NonzeroError("io", `${tool} ended with ${code}: ${said.trim().split("\n").at(-1) ?? ""}`);
}

/** Unpacks a Debian package into a folder, without installing it. */
export const unpackDebian = (file: string, folder: string, signal: AbortSignal): Promise<void> =>
  runTool("dpkg-deb", ["-x", file, folder], signal);
