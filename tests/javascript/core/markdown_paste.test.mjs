import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fenceCode,
  formatTable,
  isConverting,
  isFormatted,
  linkSelection,
  parseTable,
} from "../../../static/js/core/markdown_paste.js";

test("an address is put behind what is selected", () => {
  const field = { value: "see this", start: 4, end: 8 };
  const edit = linkSelection(field, " https://a.example/b_(c) ");
  const text = "[this](https://a.example/b_%28c%29)";
  assert.deepEqual(edit, { start: 4, end: 8, text, selection: [4 + text.length, 4 + text.length] });
});

test("an address is pasted as it is over an address, over several lines, and over nothing", () => {
  for (const [value, start, end, address] of [
    ["see ", 4, 4, "https://a.example"],
    ["this", 0, 4, "no address"],
    ["this", 0, 4, "https://a.example and more"],
    ["a\nb", 0, 3, "https://a.example"],
    ["https://b.example", 0, 17, "https://a.example"],
    ["[text](url)", 7, 10, "https://a.example"],
    ["https://b.example/path", 18, 22, "https://a.example"],
  ]) {
    assert.equal(linkSelection({ value, start, end }, address), null, value);
  }
});

test("lines of code from an editor become a block in its language", () => {
  assert.equal(fenceCode("a\nb\n", '{"mode":"python"}'), "```python\na\nb\n```");
  for (const data of ['{"mode":"plaintext"}', '{"mode":"a b"}', "{}", "no JSON"]) {
    assert.equal(fenceCode("a\nb", data), "```\na\nb\n```");
  }
  assert.equal(fenceCode("name\n", '{"mode":"python"}'), null);
  assert.equal(fenceCode("a\nb", ""), null);
});

test("HTML is formatted if plain text would not show it", () => {
  for (const html of [
    "<p>a <b>b</b></p>",
    "<a class=x href=y>a</a>",
    "<ol><li>a</ol>",
    "<h2>a</h2>",
    '<span style="color:red;font-weight:700">a</span>',
  ]) {
    assert.ok(isFormatted(html), html);
  }
  for (const html of [
    "<meta charset=utf-8><p>a<br>b</p>",
    '<b style="font-weight:normal;" id="docs-internal">a</b>',
    "<span style='font-weight:400'>a</span>",
    "<body><a name=x>a</a></body>",
  ]) {
    assert.ok(!isFormatted(html), html);
  }
});

test("cells from a spreadsheet become a table", () => {
  assert.deepEqual(parseTable("a\tb\r\n1\t\n"), [
    ["a", "b"],
    ["1", ""],
  ]);
  for (const text of ["a", "a\tb", "a\nb", "a\tb\nc", "\tif x:\n\t\ty", "\ta\n\tb", "\t\n\t"])
    assert.equal(parseTable(text), null, text);
  assert.equal(formatTable([["a", " b\nc "], ["x|y \\| z"]]), "| a | b c |\n| --- | --- |\n| x\\|y \\| z |  |");
});

test("in code nothing is converted", () => {
  const isConverted = (value) => isConverting({ value, start: value.length, end: value.length });
  for (const text of ["", "a `b` ", "```\na\n```\n", "`a\n"]) assert.ok(isConverted(text), text);
  for (const text of ["a `b", "```\na"]) assert.ok(!isConverted(text), text);
});
