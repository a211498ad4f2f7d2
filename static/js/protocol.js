// Types of the payloads between server and page (docs/protocol.md). Nothing in it runs.

/**
 * @typedef {object} MessageFields
 * @property {string} conversation
 * @property {number | null} id
 * @property {{id: number, username: string, name: string} | null} sender
 * @property {string} content
 * @property {string | null} client_id
 * @property {string | null} deleted_at
 * @property {number[]} mentions ids of the mentioned people
 * @property {number | null} thread the number of the first message of the thread that it is a reply in
 * @property {boolean} in_room whether the room shows it
 * @property {string} html
 */

/**
 * A message that the server has accepted but not yet stored in the database has no number.
 *
 * @typedef {MessageFields & {pending: true, seq: null, version: null}} PendingMessage
 */

/** @typedef {MessageFields & {pending: false, seq: number, version: number, pinned: boolean}} StoredMessage */

/** @typedef {PendingMessage | StoredMessage} Message */

/** @typedef {{seq: number, version: number, html: string}} FormattedMessage the formatted HTML of a message */

/**
 * A message without its HTML: the acknowledgement of one that the page receives as `chat_message`, too.
 *
 * @typedef {Omit<PendingMessage, "html"> | Omit<StoredMessage, "html">} PlainMessage
 */

/**
 * @typedef {object} ReadReceipt
 * @property {number} id of the person
 * @property {string} name
 * @property {string} [avatar_url] of the person's picture
 * @property {number} seq of the last message that the person has read
 */

/** @typedef {{conversation: string, last_read_seq: number, unread: number, mentions: number}} ReadState */

/**
 * @typedef {object} AnswerContent the content of an assistant's unfinished answer
 * @property {number} seq
 * @property {number} n number of the last delta in it
 * @property {string} html
 */

/**
 * `from` is the number of the first block that changed.
 *
 * @typedef {AnswerContent & {conversation: string, from: number}} AnswerDelta
 */

/**
 * @typedef {object} CatchUp
 * @property {StoredMessage[]} messages
 * @property {PendingMessage[]} pending
 * @property {ReadReceipt[]} readers
 * @property {AnswerContent[]} answers
 * @property {number[] | null} pins the numbers of the pinned messages, with `reset`
 * @property {boolean} is_public whether anyone can read the conversation through a link
 * @property {boolean} reset whether `messages` replace all that is shown
 * @property {number} to the new cursor
 * @property {boolean} more whether there are later events
 * @property {string} epoch
 * @property {number} floor
 */

/** @typedef {"online" | "away" | "offline"} Presence */

/** @typedef {{code?: string, message?: string, retry_after?: number}} ErrorPayload */

/** @typedef {{conversation: string, seq: number}} MessageReference */

/**
 * @typedef {object} MessagePlace where a new message belongs
 * @property {number} [reply_to] the number of the message that it quotes
 * @property {number} [thread] the number of the first message of the thread that it is a reply in
 * @property {boolean} [also_in_room] whether the room shows it, too
 * @property {number} [draft] the version of the draft that it was written as, as far as this device knows
 */

/**
 * @typedef {object} NewMessageFields
 * @property {string} conversation
 * @property {string} content
 * @property {string} client_id
 * @property {{upload: string, alt: string}[]} [files]
 */

/** @typedef {NewMessageFields & MessagePlace} NewMessage */

/**
 * @typedef {object} ThreadState
 * @property {string} conversation
 * @property {number} thread the number of its first message
 * @property {boolean} following
 * @property {number} unread
 * @property {number} last_read_seq
 */

/** @typedef {{payload: MessageReference, ack: {message: StoredMessage}}} MessageChange */

/**
 * @typedef {object} Requests the events that the page sends, each with its acknowledgement
 * @property {{payload: {conversation: string, after?: number, epoch?: string}, ack: CatchUp}} join_chat
 * @property {{payload: {conversation: string}, ack: object}} leave_chat
 * @property {{payload: NewMessage, ack: {message: Message | PlainMessage}}} send_message
 * @property {{payload: MessageReference & {content: string, removed_files?: string[]}, ack: {message: StoredMessage}}} edit_message
 * @property {{payload: MessageReference & {reaction: string, on: boolean}, ack: {message: StoredMessage}}} react
 * @property {{payload: MessageReference & {on: boolean}, ack: {message: StoredMessage}}} pin_message
 * @property {{payload: {name: string, size: number}, ack: {upload: {id: string, url: string, size: number}}}} create_upload
 * @property {{payload: MessageReference & {url?: string}, ack: {message: StoredMessage}}} remove_previews
 * @property {MessageChange} delete_message
 * @property {MessageChange} undelete_message
 * @property {MessageChange} stop_answer
 * @property {MessageChange} answer_again
 * @property {{payload: {conversation: string, thread?: number}, ack: object}} typing
 * @property {{payload: {state: Presence}, ack: object}} presence
 * @property {{payload: MessageReference, ack: ReadState}} mark_as_read
 * @property {{payload: MessageReference, ack: ReadState}} mark_as_unread
 * @property {{payload: MessageReference & {thread: number}, ack: ThreadState}} mark_thread_read
 * @property {{payload: MessageReference & {thread: number}, ack: ThreadState}} mark_thread_unread
 * @property {{payload: {conversation: string, thread: number, on: boolean}, ack: ThreadState}} follow_thread
 * @property {{payload: {conversation: string, seq: number, on: boolean}, ack: object}} save_message
 * @property {{payload: {conversation: string}, ack: {seqs: number[]}}} saved_messages
 * @property {{payload: DraftPlace & Draft & {client_id: string}, ack: {draft: Draft & {client_id: string | null}, saved: boolean}}} save_draft
 * @property {{payload: DraftPlace, ack: {draft: Draft}}} draft
 * @property {{payload: {conversation: string, content: string, zone: string}, ack: {notice: string, left: boolean}}} run_command
 * @property {{payload: MessageReference & {client_id: string, due_at: string}, ack: {reminder: {due_at: string}}}} remind_me
 * @property {{payload: NewMessage & {due_at: string}, ack: {scheduled: {due_at: string}}}} schedule_message
 */

/** @typedef {{content: string, version: number}} Draft version 0 and no content if there is none */

/** @typedef {{conversation: string, thread?: number}} DraftPlace */

/** @typedef {{conversation: string, seq: number, in_room: boolean, sender_id: number | null, mentions: number[]}} News */

/**
 * @typedef {object} ServerEvents the events that the page receives
 * @property {Message} chat_message
 * @property {StoredMessage} message_changed
 * @property {FormattedMessage & {conversation: string}} message_formatted
 * @property {SavedMessage} message_saved
 * @property {{waiting: number, since: string | null}} backlog
 * @property {AnswerDelta} assistant_delta
 * @property {{conversation: string, thread: number | null, user: {id: number, name: string}}} typing
 * @property {{people: Record<string, Presence>, whole: boolean}} presence
 * @property {News} news
 * @property {ThreadState} thread_changed
 * @property {ReadState} unread_changed
 * @property {{conversation: string, reader: ReadReceipt}} messages_read
 * @property {{epoch: string, conversations: Record<string, {last_event: number, floor: number}>}} heads
 * @property {{conversation: string}} removed_from_chat
 * @property {object} sidebar_changed
 * @property {object} emoji_changed
 * @property {{conversation: string, thread: number | null} & Draft} draft_changed
 * @property {{conversation: string, seq: number, saved: boolean}} saved_changed
 * @property {ReminderChange} reminder_changed
 * @property {{id: number, state: "scheduled" | "failed" | "sent" | "deleted", problem: string | null}} scheduled_changed
 * @property {{conversation: string, member_count: number}} members_changed
 * @property {{conversation: string, is_public: boolean}} sharing_changed
 */

/**
 * @typedef {object} ReminderChange
 * @property {number} id
 * @property {"scheduled" | "due" | "done"} state
 * @property {string} content what the person has written; empty if it is only about a message
 * @property {string | null} conversation that of the message that it is about
 * @property {number | null} seq the number of the message
 */

/**
 * @typedef {object} SavedMessage what a pending message has become
 * @property {string} conversation
 * @property {number} sender_id
 * @property {string} client_id
 * @property {StoredMessage | null} message null if the database rejected it
 * @property {ErrorPayload} [error]
 */

export {};
