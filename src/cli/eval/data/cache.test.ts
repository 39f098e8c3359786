import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { download } from "./cache.js";
import { runTool } from "./tools.js";

const CONTENT = "what is to be fetched";
const sha256 = createHash("sha256").update(CONTENT).digest("hex");
const never = new AbortController().signal;
let server: Server;
let asked = 0;
let folder: string;
const url = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked++;
    if (request.url === "/missing") response.writeHead(404).end();
    else if (request.url === "/broken") {
      response.writeHead(200, { "content-length": 1000 }).write("half");
      response.destroy();
    } else response.end(CONTENT);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  folder = mkdtempSync(join(tmpdir(), "nonzero-cache-"));
});
beforeEach(() => {
  process.env.NONZERO_CACHE = folder;
});
afterAll(() => {
  server.close();
  delete process.env.NONZERO_CACHE;
  rmSync(folder, { recursive: true });
});

describe("download", () => {
  it("fetches a file once", async () => {
    const file = await download({ url: url("data.bin"), sha256 }, never);
    expect(readFileSync(file, "utf8")).toBe(CONTENT);
    const before = asked;
    expect(await download({ url: url("data.bin"), sha256 }, never)).toBe(file);
    expect(asked).toBe(before);
  });

  it.each([
    ["other content", "data.bin", "0".repeat(64), /data\.bin.*sha256 is/],
    ["no such file", "missing", sha256, /missing.*answers 404/],
    ["a connection that breaks", "broken", sha256, /broken.*cannot be downloaded/],
  ])("refuses %s, and leaves nothing behind", async (_, path, hash, message) => {
    const before = readdirSync(folder);
    await expect(download({ url: url(path), sha256: hash }, never)).rejects.toThrow(message);
    expect(readdirSync(folder)).toEqual(before);
  });

  it("stops when asked to", async () => {
    await expect(download({ url: url("other.bin"), sha256 }, AbortSignal.abort())).rejects.toMatchObject({
      code: "aborted",
    });
  });
});

describe("runTool", () => {
  it("says what is not installed, and what failed", async () => {
    await expect(runTool("no-such-tool-at-all", [], never)).rejects.toMatchObject({ code: "not-found" });
    await expect(runTool(process.execPath, ["-e", "console.error('no luck'); process.exit(3)"], never)).rejects.toThrow(
      /ended with 3: no luck/,
    );
  });
});
