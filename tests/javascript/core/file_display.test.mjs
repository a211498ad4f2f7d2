import assert from "node:assert/strict";
import { test } from "node:test";
import { describeType, fitPicture, formatSize, isFilePaste } from "../../../static/js/core/file_display.js";

test("sizes are shown as the server shows them", () => {
  const sizes = [0, 1, 999, 1_000, 12_345, 1_000_000, 2_345_678_901, 5e12, 5e15];
  const texts = ["0 Bytes", "1 Byte", "999 Bytes", "1.0 kB", "12.3 kB", "1.0 MB", "2.3 GB", "5.0 TB", "5000.0 TB"];
  assert.deepEqual(sizes.map(formatSize), texts);
});

test("pictures keep their proportions and are never enlarged", () => {
  assert.deepEqual(fitPicture(640, 480), { width: 400, height: 300 });
  assert.deepEqual(fitPicture(100, 50), { width: 100, height: 50 });
  assert.deepEqual(fitPicture(10_000, 1), { width: 400, height: 1 });
});

test("the type of a file is its extension", () => {
  const names = ["a.tar.gz", "README", "a.configuration", "a.b c", "scan.Pdf"];
  assert.deepEqual(names.map(describeType), ["GZ", "File", "File", "File", "PDF"]);
});

test("a picture that stands for a copied text or table is not attached", () => {
  assert.ok(isFilePaste(["Files"]));
  assert.ok(isFilePaste(["text/html", "Files"]));
  assert.ok(isFilePaste(["text/plain", "Files"]));
  assert.ok(!isFilePaste(["text/plain", "text/html", "Files"]));
  assert.ok(!isFilePaste(["text/plain"]));
});
