// The time limits for editing and deleting messages. The server decides: here they only hide what it would refuse.

/**
 * Return whether a message can still be changed under a limit.
 *
 * @param {string} createdAt when the server accepted the message
 * @param {number} seconds 0 for no limit
 */
export const isWithinLimit = (createdAt, seconds) =>
  seconds === 0 || Date.now() - Date.parse(createdAt) <= seconds * 1000;
