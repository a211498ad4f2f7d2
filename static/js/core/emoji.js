// Messages that consist of a few emoji are shown larger. chatapp/presentation/emoji.py has the same rule.

const FEW_EMOJI = /^\s*(?:\p{RGI_Emoji}\s*){1,3}$/v;

/**
 * Return whether a text consists of one to three emoji.
 *
 * @param {string} content
 */
export const isFewEmoji = (content) => FEW_EMOJI.test(content);
