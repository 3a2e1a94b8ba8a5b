// io-handler.mts: the package's entry for ES modules. Node.js, TypeScript and the bundlers do not agree on where an ES
// module finds the default export of a CommonJS one; a name they all find.

export * from "./io-handler.js";
export { ioHandler as default } from "./io-handler.js";
