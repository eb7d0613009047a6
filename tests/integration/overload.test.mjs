// Some seconds of three times what the system can do, with bounds so small that any machine reaches them:
// counts and bytes alone. The whole is tests/load/overload.test.mjs.

import { after, before, describe, test } from "node:test";
import { Overload } from "../load/overload.mjs";

describe("overload", () => {
  let overload;
  before(async () => {
    overload = await Overload.start({ environment: { WRITE_JOBS_MAX: "200" } });
    await overload.run(4);
  });
  after(() => overload?.stop());

  test("every send is answered, ok or with a time to try again", () => overload.judgeAnswers());
  test("what was acknowledged is stored", () => overload.judgeStored());
  test("no queue grows over its bound", () => overload.judgeQueues());
  test("typing is left out before messages are refused", () => overload.judgeHints());
});
