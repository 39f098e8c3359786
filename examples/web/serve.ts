import { startWebExample } from "./site.js";

const PORT = 8080;

const { origin } = await startWebExample(Number(process.env.PORT ?? PORT));
console.log(`Nonzero in a page: ${origin}/ (Ctrl-C ends it)`);
