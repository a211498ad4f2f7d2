// Commands: what is written in the composer and run instead of sent. `chatapp/conversations/commands.py` has the same.

/** @typedef {{name: string, argument: string, description: string, isForRooms: boolean}} Command */

/** @type {readonly Command[]} */
export const COMMANDS = [
  { name: "me", argument: "text", description: "Show what you are doing", isForRooms: false },
  { name: "topic", argument: "text", description: "Change the topic of the room", isForRooms: true },
  { name: "invite", argument: "@name", description: "Add people to the room", isForRooms: true },
  { name: "leave", argument: "", description: "Leave the room", isForRooms: true },
];

const PATTERN = /^\/([a-z]+)(?:\s[^]*)?$/;
const PREFIX = /^\/([a-z]*)$/;

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
  return commandsOf(conversation).some((command) => command.isForRooms && command.name === name);
}

/**
 * Return the beginning of the name of a command that is being written.
 *
 * @param {string} textBeforeCaret
 */
export const findCommandPrefix = (textBeforeCaret) => PREFIX.exec(textBeforeCaret)?.[1] ?? null;
