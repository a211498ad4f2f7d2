// Messages that consist of a few emoji are shown larger. chatapp/presentation/emoji.py has the same rule.

const FEW_EMOJI = /^\s*(?:\p{RGI_Emoji}\s*){1,3}$/v;
const NAMES = /:[a-z0-9_+-]{1,64}:/g;
const ASCII = /[!-~]/;

/**
 * Return whether a text consists of one to three emoji.
 *
 * @param {string} content
 */
export const isFewEmoji = (content) => FEW_EMOJI.test(content);

/**
 * Return whether a message that names custom emoji consists of one to three emoji.
 *
 * @param {string} source what its sender has written
 * @param {string} shown its text, with an emoji for each image
 */
export const isFewNamed = (source, shown) => isFewEmoji(shown) && !ASCII.test(source.replace(NAMES, ""));
