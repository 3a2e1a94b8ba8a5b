// Several machines on a real Redis Cluster whose masters are replaced by their replicas.

import { expect } from "chai";
import { eventually, onRedis } from "../support/cluster";
import { until } from "../support/harness";
import { pairs } from "../support/pairs";
import type { RedisServer } from "../support/redis";
import { RedisCluster } from "../support/redis-cluster";

describe("a Redis Cluster of three masters with a replica each", function () {
  this.timeout(90_000);
  const { log, logged } = onRedis();
  let redis: RedisCluster;
  beforeEach(async () => {
    redis = await RedisCluster.start(1);
  });
  afterEach(() => redis.stop());

  for (const trouble of ["killed", "frozen"] as const) {
    it(`a master is ${trouble}, and its replica takes over, also when the master comes back`, async () => {
      const { names, crossing, allIsWell } = await pairs(redis, 12);
      const [, lost] = redis.servers as [RedisServer, RedisServer];
      if (trouble === "killed") await lost.stop();
      else lost.freeze();
      await eventually(async () => expect(await crossing()).to.deep.equal(names), 40_000);
      // a frozen master may be replaced before it counts as lost
      await until(() => logged("is replaced.").length === logged("is lost:").length);
      if (trouble === "killed") expect(await crossing()).to.deep.equal(names); // it was said when all was heard
      if (trouble === "killed") expect(log).to.have.lengthOf(4);
      if (trouble === "killed") await lost.start();
      else lost.thaw();
      await allIsWell();
    });
  }

  it("an operator makes the replica the master, and then the master again", async () => {
    const { names, crossing, allIsWell } = await pairs(redis, 12);
    const [master] = redis.servers as [RedisServer];
    const replica = await redis.replicaOf(master);
    await redis.promote(replica);
    await eventually(async () => expect(await crossing()).to.deep.equal(names));
    await redis.promote(master);
    await allIsWell();
  });
});
