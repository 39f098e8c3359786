import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { NonzeroError } from "../../tensor/index.js";
import { addEntries, entriesText, nameOf, parseEntries, readEntries, type TuningCache } from "./cache.js";
import { defaultFolder, fileCache } from "./cache.node.js";

const DEVICE = "wasm V8 12.4 x64, 2 threads, relaxed";
const entry = { choice: '{"width":12}', ratio: 1.25 };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nonzero-tuning-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const unexpected = (warning: NonzeroError): void => {
  throw warning;
};

describe("a cache of files", () => {
  it("gives back what was added, and keeps what was there", async () => {
    const cache = fileCache(join(folder, "made", "when needed"));
    expect(await readEntries(cache, DEVICE, unexpected)).toEqual(new Map());
    await addEntries(cache, DEVICE, [["a", entry]], unexpected);
    await addEntries(cache, DEVICE, [["b", { choice: "null", ratio: 1 }]], unexpected);
    await addEntries(cache, DEVICE, [["a", { ...entry, ratio: 2 }]], unexpected);
    expect([...(await readEntries(cache, DEVICE, unexpected))]).toEqual([
      ["b", { choice: "null", ratio: 1 }],
      ["a", { ...entry, ratio: 2 }],
    ]);
    expect(readdirSync(join(folder, "made", "when needed"))).toEqual([nameOf(DEVICE)]);
  });

  it("keeps devices apart", async () => {
    const cache = fileCache(folder);
    await addEntries(cache, DEVICE, [["a", entry]], unexpected);
    expect(await readEntries(cache, DEVICE.replace("2", "4"), unexpected)).toEqual(new Map());
  });

  it.each([
    ["text", "not JSON"],
    ["half of it", entriesText(new Map([["a", entry]]), DEVICE).slice(0, 60)],
    ["another format", '{"format":"other"}'],
    ["another device's", entriesText(new Map(), "webgpu")],
    ["no object", "null"],
    ["entries that are none", JSON.stringify({ format: "nonzero-tuning/1", device: DEVICE, entries: { a: 1 } })],
    ["a list", JSON.stringify({ format: "nonzero-tuning/1", device: DEVICE, entries: [] })],
  ])("warns of %s, and starts afresh", async (_, text) => {
    const cache = fileCache(folder);
    writeFileSync(join(folder, nameOf(DEVICE)), text);
    const warnings: NonzeroError[] = [];
    expect(await readEntries(cache, DEVICE, (warning) => warnings.push(warning))).toEqual(new Map());
    expect(warnings.map(({ code, place }) => [code, place.file])).toEqual([["io", nameOf(DEVICE)]]);
    await addEntries(cache, DEVICE, [["a", entry]], () => {});
    expect(await readEntries(cache, DEVICE, unexpected)).toEqual(new Map([["a", entry]]));
  });

  it("warns where it cannot write, and leaves nothing behind", async () => {
    writeFileSync(join(folder, "file"), "");
    const warnings: string[] = [];
    const warn = (warning: NonzeroError): void => void warnings.push(warning.code);
    await addEntries(fileCache(join(folder, "file")), DEVICE, [["a", entry]], warn);
    expect(warnings).toEqual(["io", "io"]);
    const failing: TuningCache = { ...fileCache(folder), write: () => Promise.reject(new Error("disk full")) };
    await addEntries(failing, DEVICE, [["a", entry]], warn);
    expect(warnings).toHaveLength(3);
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  it("is whole whenever it is read", async () => {
    const cache = fileCache(folder);
    const writing = Promise.all(
      Array.from({ length: 20 }, (_, i) => cache.write("name", entriesText(new Map([[`k${i}`, entry]]), DEVICE))),
    );
    for (let i = 0; i < 20; i++) {
      const text = await cache.read("name");
      if (text !== null) expect(parseEntries(text, DEVICE).size).toBe(1);
    }
    await writing;
    expect(readdirSync(folder)).toEqual(["name"]);
  });
});

describe("the format", () => {
  it("comes back as it was", () => {
    const entries = fc.array(
      fc.tuple(
        fc.string(),
        fc.record({ choice: fc.string(), ratio: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
      ),
    );
    fc.assert(
      fc.property(entries, fc.string(), (list, device) => {
        const map = new Map(list.map(([key, { choice, ratio }]) => [key, { choice, ratio: ratio + 0 }])); // JSON has no -0
        expect(parseEntries(entriesText(map, device), device)).toEqual(map);
      }),
    );
  });

  it("is written where XDG says", () => {
    expect(defaultFolder({ XDG_CACHE_HOME: "/cache" })).toBe("/cache/nonzero/tuning");
    expect(defaultFolder({ XDG_CACHE_HOME: "relative" })).toMatch(/\.cache\/nonzero\/tuning$/);
  });

  it("has a name that any file system takes", () => {
    expect(nameOf("WebGPU: ä/b\\c")).toMatch(/^[a-z0-9.-]+\.json$/);
    expect(nameOf(DEVICE)).not.toBe(nameOf(`${DEVICE} `));
  });
});
