import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { installNodeGpu } from "../../src/backends/webgpu/gpu.node.js";
import { type Gpu, requestGpu } from "../../src/backends/webgpu/index.js";

/*
 * A GPU for tests: SwiftShader, which the npm package `@sparticuz/chromium` carries, or whatever Vulkan driver VK_ICD_FILENAMES
 * names (lavapipe, a real one).
 */

const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
const ARCHIVE = join(MODULES, "@sparticuz/chromium/bin/swiftshader.tar.br");
const FOLDER = join(MODULES, ".cache/swiftshader-147.0.0");
const LOADER = join(FOLDER, "libvulkan.so.1");

/** `dlopen` keeps the library when its handle is closed. */
const RTLD_NODELETE = 0x1000;

/** Files of a tar archive. */
function* filesIn(tar: Buffer): Generator<{ name: string; bytes: Buffer }> {
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    if (name === "") return;
    const size = Number.parseInt(tar.toString("ascii", at + 124, at + 136), 8);
    yield { name, bytes: tar.subarray(at + 512, at + 512 + size) };
    at += 512 + 512 * Math.ceil(size / 512);
  }
}

/** Unpacks the driver once. Several test processes may do it at the same time. */
function unpack(): void {
  if (existsSync(LOADER)) return;
  const folder = `${FOLDER}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  for (const { name, bytes } of filesIn(brotliDecompressSync(readFileSync(ARCHIVE)))) {
    if (/vulkan|vk_swiftshader/.test(name)) writeFileSync(join(folder, name), bytes);
  }
  try {
    renameSync(folder, FOLDER);
  } catch {
    if (!existsSync(LOADER)) throw new Error(`SwiftShader could not be unpacked to ${FOLDER}`);
  }
}

/**
 * Makes Dawn find SwiftShader. Its loader is not on the path of libraries, which a process can't change once it runs; but loaded
 * before by its full name, it is found by its short one. It is no Node addon, so `dlopen` complains, after it has loaded it.
 */
function useSwiftShader(): void {
  unpack();
  process.env.VK_ICD_FILENAMES = join(FOLDER, "vk_swiftshader_icd.json");
  try {
    process.dlopen({ exports: {} }, LOADER, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    if (!/did not self-register/.test(String(error))) throw error;
  }
}

async function find(): Promise<Gpu | string> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    if (process.env.VK_ICD_FILENAMES === undefined && process.platform === "linux") return "SwiftShader is for x64";
  } else if (process.env.VK_ICD_FILENAMES === undefined) {
    if (!existsSync(ARCHIVE)) return "the npm package @sparticuz/chromium is not installed";
    useSwiftShader();
  }
  installNodeGpu();
  try {
    return await requestGpu();
  } catch (error) {
    return String(error);
  }
}

let found: Promise<Gpu | string> | null = null;

/** The GPU that all tests of a process share, or why there is none. */
export const testGpu = (): Promise<Gpu | string> => {
  found ??= find();
  return found;
};
