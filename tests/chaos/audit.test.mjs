// The auditor finds what it is there to find.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareStored, median, View } from "./audit.mjs";

const answer = (seqs, headSeq = seqs.at(-1) ?? 0, more = {}) => ({
  ok: true,
  headSeq,
  messages: seqs.map((seq) => ({ seq })),
  ...more,
});

const stored = (seq) => ({ ok: true, message: { seq } });

function joined(seqs = [1, 2]) {
  const view = new View("v");
  view.connected();
  view.joined(0, answer(seqs));
  return view;
}

test("a faultless client", () => {
  const view = joined();
  view.emitted("a");
  view.emitted("b");
  view.message({ seq: 3, clientId: "x" });
  view.answered("b", stored(5));
  view.answered("a", stored(4));
  view.message({ seq: 6, clientId: "y" });
  view.connected();
  view.joined(6, answer([7, 8]));
  view.finish(8);
  assert.deepEqual(view.violations, []);
});

test("its own message comes in the answer of the next join", () => {
  const view = joined();
  view.emitted("a");
  view.answered("a", stored(4));
  view.connected();
  view.emitted("b");
  view.answered("b", stored(5));
  view.joined(2, answer([3, 4, 5]));
  view.message({ seq: 6 });
  view.finish(6);
  assert.deepEqual(view.violations, []);
});

test("a recovered session misses what it sent itself and has no answer to", () => {
  const view = joined();
  view.emitted("a");
  view.message({ seq: 4 }, false, true);
  view.message({ seq: 5 }, false, true);
  view.connected(true);
  view.emitted("a");
  assert.equal(view.last, 2);
  view.answered("a", stored(3));
  assert.equal(view.last, 5);
  view.message({ seq: 6 }, false, true);
  view.finish(6);
  assert.deepEqual(view.violations, []);
});

for (const [what, run, text] of [
  ["a hole", (view) => view.message({ seq: 4 }), "v: seq 4 came after 2"],
  ["a double", (view) => view.message({ seq: 2 }), "v: seq 2 came again, after 2"],
  ["a hole in a join", (view) => view.joined(2, answer([4])), "v: join after 2 returned 4 where 3 was due"],
  ["a short join", (view) => view.joined(2, answer([3], 4)), "v: join ended at 3, but the head is 4"],
  ["a reset", (view) => view.joined(2, answer([], 2, { reset: true })), "v: join after 2 was told to start anew"],
  ["an event before the join", (view) => (view.connected(), view.message({ seq: 3 })), "v: seq 3 came before the join was answered"],
  ["a hole in what is recovered", (view) => {
    view.emitted("a");
    view.message({ seq: 5 }, false, true);
  }, "v: seq 5 came after 2"],
  ["a double in what is recovered", (view) => {
    view.emitted("a");
    view.message({ seq: 4 }, false, true);
    view.message({ seq: 4 }, false, true);
  }, "v: seq 4 came again, after 2"],
  ["a hole in what is recovered that was nothing of its own", (view) => {
    view.emitted("a");
    view.message({ seq: 4 }, false, true);
    view.answered("a", stored(5));
    view.finish(5);
  }, "v: saw up to 2 of 5"],
  ["a message missed at the end", (view) => view.finish(3), "v: saw up to 2 of 3"],
  ["an echo behind the answer", (view) => {
    view.emitted("a");
    view.answered("a", stored(3));
    view.message({ seq: 3, clientId: "a" }, true);
  }, "v: seq 3 came back to the socket that sent it"],
  ["an echo before the answer", (view) => {
    view.emitted("a");
    view.message({ seq: 3, clientId: "a" }, true);
    view.answered("a", stored(3));
  }, "v: seq 3 came as an event and was acknowledged"],
  ["sends that overtake", (view) => {
    for (const id of ["a", "b"]) view.emitted(id);
    view.answered("a", stored(4));
    view.answered("b", stored(3));
    view.finish(4);
  }, "v: b got seq 3 after 4"],
  ["a message after the removal", (view) => (view.removed(2), view.added(), view.removed(2), view.joined(2, answer([3]))),
    "v: join returned seq 3 to a removed member"],
])
  test(`it finds ${what}`, () => {
    const view = joined();
    run(view);
    assert.ok(view.violations.includes(text), view.violations.join("\n"));
  });

test("an error in between excuses the order", () => {
  const view = joined([]);
  for (const id of ["a", "b", "c"]) view.emitted(id);
  view.answered("a", stored(3));
  view.answered("b", { ok: false });
  view.answered("c", stored(1));
  view.answered("b", stored(2));
  view.finish(3);
  assert.deepEqual(view.violations, []);
});

const row = (seq, clientId = `c${seq}`, text = clientId) => ({ conversationId: "r", senderId: "s", clientId, seq, text });

test("acknowledged and stored agree", () => {
  assert.deepEqual(compareStored([row(1), row(2)], [row(1), row(2), row(3)]), { lost: [], doubled: [], disordered: [] });
});

test("it finds what is lost, doubled or out of order", () => {
  assert.equal(compareStored([row(2)], [row(1)]).lost.length, 1);
  assert.equal(compareStored([row(1, "c", "other")], [row(1, "c")]).lost.length, 1);
  assert.equal(compareStored([row(2, "c")], [row(1, "c")]).doubled.length, 1);
  assert.equal(compareStored([], [row(1), row(2, "d", "c1")]).doubled.length, 1);
  assert.equal(compareStored([], [row(1), row(3)]).disordered.length, 1);
});

test("the median", () => {
  assert.equal(median([]), 0);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2);
});
