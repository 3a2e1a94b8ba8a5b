// index.mts: the entry of the npm package for ES modules. Node.js, TypeScript and the bundlers do not agree on where an
// ES module finds the default export of a CommonJS one. They all find a name.

export * from "../io-handler.js";
export { ioHandler as default } from "../io-handler.js";
