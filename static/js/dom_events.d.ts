// Events that modules of the page dispatch on elements.

import type { StoredMessage } from "./protocol.js";

export {};

declare global {
  interface HTMLElementEventMap {
    /** On the message list: a message was added below all others. */
    "message:arrived": CustomEvent<HTMLElement>;
    /** On the message list: older messages were added above. */
    "message:prepended": Event;
    /** On the message list: a message will be replaced by a newer version. */
    "message:replacing": CustomEvent<HTMLElement>;
    /** On the message list: a message is being replaced by a newer version. Both are on the page. */
    "message:replaced": CustomEvent<{ oldElement: HTMLElement; newElement: HTMLElement }>;
    /** On the message list: a new message was not shown, because there are others between it and the list. */
    "message:withheld": Event;
    /** On the message list: the server has sent a message, or a change of one, which need not be on the page. */
    "message:received": CustomEvent<StoredMessage>;
    /** On the message list: a cleanup has removed the messages up to this number. */
    "messages:trimmed": CustomEvent<number>;
    /** On the message list: newer messages were added below, and it reaches to the end of the conversation. */
    "messages:attached": Event;
    /** On the page: what the person may do was changed. */
    "permissions:changed": Event;
    /** On the composer: a message was added to the outbox. */
    "message:submitted": Event;
    /** On the composer: files were attached or removed, or their uploads have gone on. */
    "attachments:changed": Event;
    /** On the composer: arrow up was pressed in the empty field. */
    "message:edit-last": Event;
  }
}
