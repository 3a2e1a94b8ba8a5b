// Nothing of a namespace stays in memory when it is retired.

import { expect } from "chai";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { join, startServer, until } from "./support/harness";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("memory", () => {
  for (const [what, options] of [
    ["a retired namespace leaves nothing in memory", {}],
    [
      "nor does one with connection state recovery",
      { io: { connectionStateRecovery: { maxDisconnectionDuration: 1 } }, retireAfter: 1 },
    ],
  ] as const) {
    it(what, async () => {
      const { ee, url, calm } = await startServer(options);
      const namespaces: WeakRef<object>[] = [];
      ee.on("namespace.created", (namespace) => namespaces.push(new WeakRef(namespace)));
      const names = Array.from({ length: 20 }, (_, i) => `/category/1/item/${i}/chat`);
      for (const socket of await Promise.all(names.map((name) => join(url, name)))) socket.disconnect();
      await calm();

      expect(namespaces).to.have.length(20);
      const inMemory = () => {
        collectGarbage();
        return namespaces.filter((namespace) => namespace.deref()).length;
      };
      await until(inMemory, 0, "the number of retired namespaces in memory");
    });
  }
});
