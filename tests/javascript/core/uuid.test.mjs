import assert from "node:assert/strict";
import { test } from "node:test";
import { randomUuid } from "../../../static/js/core/uuid.js";

test("UUIDs are random and have the form of version 4", () => {
  const uuids = Array.from({ length: 1_000 }, randomUuid);
  for (const uuid of uuids) assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(uuids).size, 1_000);
});
