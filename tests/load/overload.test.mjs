// A minute of three times what the machine can do, with the services' own bounds; and ten thousand polls.
//
//   ./parley test overload           or, with a build at hand:
//   BUILD_DIR=build/release node --test tests/load/overload.test.mjs

import { after, before, describe, test } from "node:test";
import { Overload } from "./overload.mjs";

const SECONDS = Number(process.env.OVERLOAD_SECONDS ?? 60);

describe("overload", () => {
  let overload;
  before(async () => {
    overload = await Overload.start();
    await overload.run(SECONDS);
  });
  after(() => overload?.stop());

  test("every send is answered, ok or with a time to try again", () => overload.judgeAnswers());
  test("what was acknowledged is stored", () => overload.judgeStored());
  test("no queue grows over its bound", () => overload.judgeQueues());
  test("typing is left out before messages are refused", () => overload.judgeHints());
  test("memory stays flat", () => overload.judgeMemory());
});
