// New messages of all conversations of a person, whichever event reports them.

/** @import { Connection } from "./connection.js" */
/** @import { Message } from "../protocol.js" */

/**
 * @typedef {object} NewMessage
 * @property {number} seq
 * @property {number | null} senderId
 * @property {number[]} mentions
 * @property {boolean} isInRoom false for a reply that only its thread shows
 */

/**
 * Call `listener` with each new message. One that the page shows may be reported twice.
 *
 * @param {Connection} connection
 * @param {(conversation: string, message: NewMessage) => void} listener
 */
export function watchNewMessages(connection, listener) {
  /** @param {Message} message */
  const onMessage = ({ conversation, seq, sender, mentions, in_room: isInRoom = true }) => {
    // A pending message is reported when it is stored.
    if (seq !== null) listener(conversation, { seq, mentions, isInRoom, senderId: sender?.id ?? null });
  };
  connection.on("chat_message", onMessage);
  connection.on("message_saved", ({ message }) => message && onMessage(message));
  connection.on("news", ({ conversation, seq, mentions, in_room: isInRoom = true, sender_id: senderId }) =>
    listener(conversation, { seq, mentions, isInRoom, senderId }),
  );
}
