// Edits text fields so that the browser's undo takes the edit back.

/** @import { Edit, Field } from "./core/text_edits.js" */

/**
 * @param {HTMLTextAreaElement} field
 * @returns {Field}
 */
export const readField = ({ value, selectionStart: start, selectionEnd: end }) => ({ value, start, end });

/**
 * @param {HTMLTextAreaElement | HTMLInputElement} field
 * @param {Edit} edit
 */
export function applyEdit(field, { start, end, text, selection }) {
  if (field.readOnly || field.disabled) return;
  field.focus();
  field.setSelectionRange(start, end);
  // Browsers undo only what was typed, or inserted by a command. They have no other way to insert.
  if (text || start < end) document.execCommand(text ? "insertText" : "delete", false, text);
  field.setSelectionRange(...selection);
}
