export * from "./calibrate.js";
export * from "./samples.js";
export { type Site, type Source, sourcesOf } from "./sites.js";
