import { installNode } from "./runtime/node.js";

installNode();

export * from "./predict.js";
