import assert from "node:assert/strict";
import { test } from "node:test";
import { applyFormat, fence } from "../../../static/js/core/markdown_formats.js";
import { continueLine, indentItems } from "../../../static/js/core/markdown_lists.js";
import { isInCodeBlock } from "../../../static/js/core/text_edits.js";

/** Return the field of a text in which "|" stands for the caret, or for both ends of what is selected. */
function field(text) {
  const [before, inner, after] = text.split("|");
  if (after === undefined) return { value: before + inner, start: before.length, end: before.length };
  return { value: before + inner + after, start: before.length, end: before.length + inner.length };
}

/** Return the text after an edit, with "|" as in `field`. */
function show({ value }, edit) {
  const text = value.slice(0, edit.start) + edit.text + value.slice(edit.end);
  const [start, end] = edit.selection;
  const inner = start === end ? "|" : `|${text.slice(start, end)}|`;
  return text.slice(0, start) + inner + text.slice(end);
}

function edited(text, change) {
  const edit = change(field(text));
  return edit && show(field(text), edit);
}

function checkFormat(format, cases) {
  for (const [before, after] of cases)
    assert.equal(
      edited(before, (each) => applyFormat(each, format)),
      after,
    );
}

test("a mark is put around what is selected, and removed by the same command", () => {
  checkFormat("bold", [
    ["a |word| more", "a **|word|** more"],
    ["a **|word|** more", "a |word| more"],
    ["a |**word**| more", "a |word| more"],
    ["a | word |more", "a  **|word|** more"],
    ["|", "**|**"],
    ["**|**", "|"],
    ["two wo|rds", "two **wo|rds**"],
    ["two **wo|rds**", "two wo|rds"],
  ]);
  checkFormat("strikethrough", [["|gone|", "~~|gone|~~"]]);
  checkFormat("code", [
    ["call |run()|", "call `|run()|`"],
    ["|a\nb|", "|```\na\nb\n```|"],
  ]);
});

test("bold and italic marks are told apart by the number of asterisks", () => {
  checkFormat("italic", [
    ["**|both|**", "***|both|***"],
    ["***|both|***", "**|both|**"],
    ["*|one|*", "|one|"],
  ]);
  checkFormat("bold", [
    ["***|both|***", "*|both|*"],
    ["*|one|*", "***|one|***"],
  ]);
});

test("each line gets its own marks, behind the start of an item or a quote", () => {
  checkFormat("bold", [
    ["|one\n\n- two |", "|**one**\n\n- **two**| "],
    ["|**one**\n\n- **two**|", "|one\n\n- two|"],
    ["|one\n**two**|", "|**one**\n**two**|"],
    ["|- [ ] task|", "|- [ ] **task**|"],
    ["|a \n> b|", "|**a** \n> **b**|"],
  ]);
});

test("a link takes the selection as its text, or as its address", () => {
  checkFormat("link", [
    ["see |this|", "see [this](|url|)"],
    ["see |https://a.example/b|", "see [|](https://a.example/b)"],
    ["see |", "see [|](url)"],
  ]);
});

test("blocks of code have a fence that their text does not contain, and are removed again", () => {
  checkFormat("code-block", [
    ["|", "```\n|\n```"],
    ["a\n|b|\nc", "a\n```\n|b|\n```\nc"],
    ["|a\n```\nb|", "|````\na\n```\nb\n````|"],
    ["|```js\na\nb\n```|", "|a\nb|"],
    ["|```\n```|", "|"],
  ]);
  assert.equal(fence("x", "js"), "```js\nx\n```");
});

test("lines become quotes and lists, and text again", () => {
  checkFormat("quote", [
    ["a|b", "> a|b"],
    ["> a|b", "a|b"],
    ["|", "> |"],
    ["|a\n\nb|", "|> a\n>\n> b|"],
    ["|> a\n>\n> b|", "|a\n\nb|"],
  ]);
  checkFormat("list", [
    ["|a\n\nb|", "|- a\n\n- b|"],
    ["|- a\n- b|", "|a\nb|"],
    ["|1. a\n2. b|", "|- a\n- b|"],
    ["|", "- |"],
    ["- |", "|"],
  ]);
  checkFormat("numbered-list", [
    ["|a\nb|", "|1. a\n2. b|"],
    ["|1. a\n2. b|", "|a\nb|"],
    ["x\na|", "x\n1. a|"],
    ["|\nx", "1. |\nx"],
  ]);
});

test("lists and quotes go on in the next line", () => {
  for (const [before, after] of [
    ["- a|", "- a\n- |"],
    ["- a|b", "- a\n- |b"],
    ["  * a|", "  * a\n  * |"],
    ["9. a|", "9. a\n10. |"],
    ["1) a|", "1) a\n2) |"],
    ["- [x] a|", "- [x] a\n- [ ] |"],
    ["> a|", "> a\n> |"],
    ["> - a|", "> - a\n> - |"],
    ["x\n- a|b|c", "x\n- a\n- |c"],
  ]) {
    assert.equal(edited(before, continueLine), after);
  }
});

test("an empty item or an empty line of a quote ends it", () => {
  for (const [before, after] of [
    ["- a\n- |", "- a\n|"],
    ["- [ ] |", "|"],
    ["> a\n> |", "> a\n|"],
    ["- a\n  - |\nb", "- a\n|\nb"],
  ]) {
    assert.equal(edited(before, continueLine), after);
  }
});

test("other lines and blocks of code do not go on", () => {
  for (const text of ["a|", "|- a", "-a|", "```\n- a|", "- a\n\n|"]) assert.equal(edited(text, continueLine), null);
});

test("items move below the item before them, and back", () => {
  const indent = (text) => edited(text, (each) => indentItems(each, false));
  const outdent = (text) => edited(text, (each) => indentItems(each, true));
  assert.equal(indent("- a\n- b|"), "- a\n  - b|");
  assert.equal(indent("1. a\n2. b|"), "1. a\n   1. b|");
  assert.equal(indent("- a\n|- b\n- c|"), "- a\n|  - b\n  - c|");
  assert.equal(outdent("- a\n  - b|"), "- a\n- b|");
  assert.equal(outdent("  - b|"), "- b|");
  assert.equal(outdent("- a\n  - b\n    - |c"), "- a\n  - b\n  - |c");
  assert.equal(outdent("- a\n  - |"), "- a\n- |");
});

test("Tab leaves the field outside of lists, and where an item cannot move", () => {
  for (const text of ["a|", "- a|", "- a\n  - b|", "- a\n\n- b|", "```\n- a\n- b|"])
    assert.equal(
      edited(text, (each) => indentItems(each, false)),
      null,
    );
  for (const text of ["a|", "- a|"])
    assert.equal(
      edited(text, (each) => indentItems(each, true)),
      null,
    );
});

test("a block of code lasts until its fence", () => {
  assert.ok(isInCodeBlock("a\n```js\nb\n"));
  assert.ok(!isInCodeBlock("a\n```js\nb\n```\n"));
  assert.ok(!isInCodeBlock("a"));
});
