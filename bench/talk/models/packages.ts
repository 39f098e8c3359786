import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../../src/cli/eval/data/cache.js";

/** An npm package that is used for a file in it. */
interface Package {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
}

/** Moonshine base, dynamically quantized; MIT. */
export const MOONSHINE_BASE: Package = {
  name: "@usefulsensors/moonshine-js",
  version: "0.1.9",
  sha256: "f99311e895c88e365cfa8c2d951421423b2f510c9ddc8b4d3274bbcd16f5ea75",
};

/**
 * The folder of a package that is no dependency, unpacked in the user's cache; fetched by npm the first time.
 * @throws Error where npm cannot have it, or it is not what its sha256 says.
 */
export function packageFolder({ name, version, sha256 }: Package, say: (line: string) => void): string {
  const cache = cacheFolder();
  const folder = join(cache, `npm-${sha256.slice(0, 16)}`);
  if (existsSync(folder)) return join(folder, "package");
  mkdirSync(cache, { recursive: true });
  const part = mkdtempSync(join(cache, "part-"));
  try {
    say(`fetching ${name}@${version} with npm`);
    const npm = ["pack", `${name}@${version}`, "--ignore-scripts", "--silent"];
    const archive = join(part, execFileSync("npm", npm, { cwd: part, encoding: "utf8" }).trim());
    const found = createHash("sha256").update(readFileSync(archive)).digest("hex");
    if (found !== sha256) throw new Error(`${name}@${version} has the sha256 ${found}, not ${sha256}`);
    execFileSync("tar", ["xzf", archive], { cwd: part });
    rmSync(archive);
    renameSync(part, folder);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return join(folder, "package");
}
