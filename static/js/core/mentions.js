// Recognises mentions in a text that is being written.

// A name may be written with any letters: the username is inserted.
const UNFINISHED_MENTION = /(?:^|[^\w@./-])@([\p{L}\p{M}\p{N}._-]*)$/u;
const MENTION_ALL = /(?<![a-z0-9@./\\-])@all(?!_{0,9}[a-z0-9@])/i;

/**
 * Return the beginning of a name after the "@" before the caret, or null where no name is being written.
 *
 * @param {string} textBeforeCaret
 */
export const findMentionPrefix = (textBeforeCaret) => UNFINISHED_MENTION.exec(textBeforeCaret)?.[1] ?? null;

/** @param {string} text */
export const mentionsAll = (text) => MENTION_ALL.test(text);
