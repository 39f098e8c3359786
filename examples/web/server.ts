import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** What makes a page cross-origin isolated: it may then share memory with workers. */
export const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
} as const;

export interface Server {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  close(): Promise<void>;
}

/**
 * Serves files and texts on this machine alone. `routes`: by path, either text or a file's path; a route that ends in `/` is a folder.
 * `headers` gives a path's extra headers.
 */
export async function serve(
  routes: Readonly<Record<string, { readonly text: string } | { readonly file: string }>>,
  headers: (path: string) => Readonly<Record<string, string>>,
  port = 0,
): Promise<Server> {
  const folders = Object.keys(routes).filter((route) => route.endsWith("/"));
  folders.sort((a, b) => b.length - a.length); // the innermost first
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const folder = folders.find((route) => route !== path && path.startsWith(route));
    const route = routes[path] ?? (folder === undefined ? undefined : routes[folder]);
    const common = { "Content-Type": TYPES[extname(path) || ".html"] ?? "application/octet-stream", ...headers(path) };
    if (route !== undefined && "text" in route) {
      response.writeHead(200, common).end(route.text);
      return;
    }
    const file = route === undefined ? "" : routes[path] ? route.file : route.file + path.slice(folder!.length);
    const found = statSync(file, { throwIfNoEntry: false });
    if (!found?.isFile() || path.includes("..")) {
      response.writeHead(404, common).end();
      return;
    }
    response.writeHead(200, { ...common, "Content-Length": found.size });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
