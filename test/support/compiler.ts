// compiler.ts: TypeScript, for code that a test has written into a folder.

import { join } from "node:path";
import {
  createCompilerHost,
  createProgram,
  flattenDiagnosticMessageText,
  parseJsonConfigFileContent,
  sys,
  type Diagnostic,
} from "typescript";

const libraries = join(__dirname, "../../node_modules").replaceAll("\\", "/"); // as the compiler writes a path

/**
 * Compiles files in a folder, and what they import. Several processes of `tsc` would do the same in three times as long:
 * each would also check all types of Node.js and of Socket.IO.
 *
 * @param compilerOptions - as in a tsconfig.json
 * @returns the errors, a sentence for each; those in the libraries that this project has installed are left out
 */
export function compile(folder: string, files: string[], compilerOptions: Record<string, unknown>): string[] {
  const { options, fileNames, errors } = parseJsonConfigFileContent({ compilerOptions, files }, sys, folder);
  const program = createProgram(fileNames, options, {
    ...createCompilerHost(options),
    getCurrentDirectory: () => folder,
  });
  const ours = program.getSourceFiles().filter(({ fileName }) => !fileName.startsWith(libraries));
  const found: readonly Diagnostic[] = [
    ...errors,
    ...program.getOptionsDiagnostics(),
    ...ours.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
    ...ours.flatMap((file) => program.emit(file).diagnostics), // to emit all at once would check the libraries too
  ];
  return found.map(({ file, messageText }) => `${file?.fileName}: ${flattenDiagnosticMessageText(messageText, "\n")}`);
}
