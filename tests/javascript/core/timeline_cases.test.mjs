// How a reader sees a list of messages. The tests of the server read the same cases.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { formatDay, formatTime } from "../../../static/js/core/dates.js";
import { continuesGroup, findFirstUnread, startsDay } from "../../../static/js/core/message_grouping.js";

const cases = JSON.parse(readFileSync(new URL("../../timeline_cases.json", import.meta.url), "utf8"));

function listLines({ now, cycle = "h23", reader = 0, last_read: lastReadSeq, has_older: hasOlder = false, messages }) {
  const shown = messages.map(({ seq, sender, at, notice }) => ({
    seq,
    senderId: notice ? "" : String(sender ?? ""),
    createdAt: new Date(at),
  }));
  const first = lastReadSeq === undefined ? null : findFirstUnread(shown, { lastReadSeq, userId: reader, hasOlder });
  return shown.flatMap((message, index) => {
    const previous = shown[index - 1] ?? null;
    const isContinued = message !== first && continuesGroup(previous, message);
    return [
      ...(startsDay(previous, message) ? [formatDay(message.createdAt, new Date(now))] : []),
      ...(message === first ? ["new"] : []),
      `${message.seq} ${formatTime(message.createdAt, cycle)}${isContinued ? " continued" : ""}`,
    ];
  });
}

for (const shown of cases) {
  test(shown.name, () => {
    process.env.TZ = shown.zone ?? "UTC";
    assert.deepEqual(listLines(shown), shown.lines);
  });
}
