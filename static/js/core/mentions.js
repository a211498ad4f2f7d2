// Recognises mentions in a text that is being written, by the server's rules.

const UNFINISHED_MENTION = /(?:^|[^\w@./-])@([a-z0-9._-]*)$/i;
const MENTION_ALL = /(?<![\w@./-])@all(?![\w@])/i;

/**
 * Return the beginning of a name after the "@" before the caret, or null where no name is being written.
 *
 * @param {string} textBeforeCaret
 */
export const findMentionPrefix = (textBeforeCaret) => UNFINISHED_MENTION.exec(textBeforeCaret)?.[1] ?? null;

/** @param {string} text */
export const mentionsAll = (text) => MENTION_ALL.test(text);
