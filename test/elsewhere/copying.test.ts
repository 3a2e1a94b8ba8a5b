// Copying the files into a project: each row of the table in the guide for a server, in a project that its own tool makes.

import { expect } from "chai";
import { join } from "node:path";
import { block } from "../support/readmes";
import { madeBy, madeByTsc, packed, type Project } from "../support/projects";

const CLIENT = "socket.io-client@~4.8";
const BOTH = ["socket.io@~4.8", CLIENT];

/** A server, and a client that creates a namespace. */
const PROGRAM = `
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import ioHandler from "./io-handler";
import { connect } from "./client";

const server = createServer();
const io = new Server(server);
const ee = ioHandler(io);
ee.on("dynamic.group.chat", (socket, categoryId, itemId) => {
  socket.emit("topic", [categoryId, itemId].join());
});
ee.on("peer.refused", (socket, { err }) => {
  console.log(socket.id, err);
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  const socket = connect(\`http://127.0.0.1:\${port}\`, "/category/1/item/2/chat");
  socket.on("topic", (topic: string) => {
    console.log("the topic is", topic);
    socket.disconnect();
    void io.close();
  });
});
`;
const PRINTED = "the topic is 1,2\n";

/** Copies all files into `src`, and the program beside them; relative imports get an ending, if there is one. */
async function copyAll(project: Project, ending?: ".js" | ".ts"): Promise<void> {
  for (const file of ["frontend/client.ts", "backend/io-handler.ts", "backend/namespaces"] as const) {
    project.copy(file, "src");
  }
  if (ending) await project.endImports("src", ending);
  project.write("src/program.ts", withEndings(PROGRAM, ending));
}

const withEndings = (code: string, ending = "") => code.replace(/( from "\.[^"]*)"/g, `$1${ending}"`);

describe("the files, copied", function () {
  this.timeout(600_000); // npm and the builds, on a machine that is busy with other things

  for (const version of [6, 7]) {
    it(`into a CommonJS project, with the settings of TypeScript ${version}`, async function () {
      const project = await madeByTsc(this, version, "commonjs", ...BOTH);
      await copyAll(project);
      project.set({ verbatimModuleSyntax: false });
      await project.run("npx", "tsc");
      expect(await project.run(process.execPath, "src/program.js")).to.equal(PRINTED);
    });

    it(`into ES modules, with the settings of TypeScript ${version}`, async function () {
      const project = await madeByTsc(this, version, "module", ...BOTH);
      await copyAll(project, ".js");
      await project.run("npx", "tsc");
      expect(await project.run(process.execPath, "src/program.js")).to.equal(PRINTED);
    });
  }

  it("into ES modules that Node.js runs by its type stripping", async function () {
    const node = `node@npm:node-${process.platform.replace("32", "")}-${process.arch}@24`;
    const project = await madeByTsc(this, 6, "module", ...BOTH, node);
    await copyAll(project, ".ts");
    project.set({ noEmit: true, allowImportingTsExtensions: true, erasableSyntaxOnly: true });
    await project.run("npx", "tsc");
    expect(await project.run(join(project.folder, "node_modules/node/bin/node"), "src/program.ts")).to.equal(PRINTED);
  });

  it("compile with types of Node.js from 20.12 on", async function () {
    const project = await madeByTsc(this, 6, "commonjs", ...BOTH, "@types/node@20.12.0");
    await copyAll(project);
    project.set({ verbatimModuleSyntax: false });
    await project.run("npx", "tsc");
  });

  for (const [type, kind] of [
    ["cjs", "CommonJS"],
    ["esm", "ES modules"],
  ] as const) {
    it(`into what \`nest new\` makes of ${kind}`, async function () {
      const command = ["@nestjs/cli@12", "generate", "--collection=@nestjs/schematics", "application", "app"];
      const nest = ["@nestjs/websockets@12", "@nestjs/platform-socket.io@12"];
      const project = await madeBy(this, [...command, `--type=${type}`], ...nest, ...BOTH);
      const ending = type === "esm" ? ".js" : undefined;
      await copyAll(project, ending);
      project.write("src/chat.gateway.ts", withEndings(block("recipe", "nest/src/chat.gateway.ts"), ending));
      project.set({ types: ["node"] }); // without those of the tools for tests, which are not installed
      await project.run("npm", "run", "build");
      expect(await project.run(process.execPath, "dist/program.js")).to.equal(PRINTED);
    });
  }

  it("into what Vite makes for React", async function () {
    const project = await madeBy(this, ["create-vite@9", "app", "--template=react-ts", "--no-interactive"], CLIENT);
    project.copy("frontend/client.ts", "src");
    for (const file of ["src/Chat.tsx", "src/main.tsx"]) project.write(file, block("recipe", `react/${file}`));
    await project.run("npm", "run", "build");
  });

  it("into what Next makes, the component for the browser and the handler for a server of its own", async function () {
    const settings = ["--ts", "--app", "--src-dir", "--no-tailwind", "--yes", "--skip-install", "--disable-git"];
    const project = await madeBy(this, ["create-next-app@16", "app", ...settings], ...BOTH);
    project.copy("frontend/client.ts", "src/app");
    project.write("src/app/Chat.tsx", `"use client";\n${block("recipe", "react/src/Chat.tsx")}`);
    project.write(
      "src/app/page.tsx",
      `import { Chat } from "./Chat";
       export default function Home() {
         return <Chat namespace="/category/1/item/2/chat" token="token of Ada" />;
       }`,
    );
    project.write(
      "src/app/layout.tsx", // its own one loads a font from elsewhere
      `export default function RootLayout({ children }: { children: React.ReactNode }) {
         return <html><body>{children}</body></html>;
       }`,
    );
    project.copy("backend/io-handler.ts", "src/server");
    project.copy("backend/namespaces", "src/server");
    await project.run("npm", "run", "build");
  });

  for (const type of ["commonjs", "module"] as const) {
    it(`need no ending and no setting as a package, in a project of the type ${type}`, async function () {
      const project = await madeByTsc(this, 7, type, ...BOTH, await packed());
      const program = PROGRAM.replace("./io-handler", "socket.io-first-peer").replace(
        "./client",
        "socket.io-first-peer/client",
      );
      project.write("src/program.ts", program);
      if (type === "commonjs") project.set({ verbatimModuleSyntax: false }); // for the program's own imports
      await project.run("npx", "tsc");
      expect(await project.run(process.execPath, "src/program.js")).to.equal(PRINTED);
    });
  }
});
