// Commands: what is written in the composer and run instead of sent. `chatapp/conversations/commands.py` has the same.

/**
 * @typedef {object} Command
 * @property {string} name
 * @property {string} argument
 * @property {string} description
 * @property {boolean} isForRooms whether other conversations do not have it
 * @property {boolean} isRun whether it is run instead of sent
 */

/** @type {readonly Command[]} */
export const COMMANDS = [
  { name: "me", argument: "text", description: "Show what you are doing", isForRooms: false, isRun: false },
  { name: "remind", argument: "me … in 20 minutes", description: "Remind yourself", isForRooms: false, isRun: true },
  { name: "topic", argument: "text", description: "Change the topic of the room", isForRooms: true, isRun: true },
  { name: "invite", argument: "@name", description: "Add people to the room", isForRooms: true, isRun: true },
  { name: "leave", argument: "", description: "Leave the room", isForRooms: true, isRun: true },
];

const PATTERN = /^\/([a-z]+)(?:\s[^]*)?$/;
const PREFIX = /^\/([a-z0-9_-]*)$/;

/**
 * Return the commands of a conversation.
 *
 * @param {string} conversation
 */
export function commandsOf(conversation) {
  const isRoom = conversation.startsWith("room_");
  return COMMANDS.filter(({ isForRooms }) => isRoom || !isForRooms);
}

/**
 * Return whether a text is run, not sent. `/me` is part of a message.
 *
 * @param {string} text
 * @param {string} conversation
 */
export function isCommand(text, conversation) {
  const name = PATTERN.exec(text.trim())?.[1];
  return commandsOf(conversation).some((command) => command.isRun && command.name === name);
}

/**
 * Return the beginning of the name of a command that is being written.
 *
 * @param {string} textBeforeCaret
 */
export const findCommandPrefix = (textBeforeCaret) => PREFIX.exec(textBeforeCaret)?.[1] ?? null;
