// Completes commands at the beginning of a message.

import { commandsOf, findCommandPrefix } from "./core/commands.js";

/** @import { Completion } from "./autocomplete.js" */
/** @import { Command } from "./core/commands.js" */

/**
 * @param {string} conversation
 * @returns {Completion}
 */
export function completeCommands(conversation) {
  return {
    label: "Commands",
    findPrefix: findCommandPrefix,
    load: () => Promise.resolve(false),
    list: (prefix) =>
      commandsOf(conversation)
        // A name that is complete needs no completion: Enter runs it.
        .filter(({ name }) => name.startsWith(prefix) && name !== prefix)
        .map(createOption),
    insertionOf: ({ dataset }) => `/${dataset.command}`,
    markLength: 1,
  };
}

/** @param {Command} command */
function createOption({ name, argument, description }) {
  const option = document.createElement("li");
  option.id = `command-option-${name}`;
  option.role = "option";
  option.dataset.command = name;
  const hint = document.createElement("span");
  hint.className = "hint";
  hint.textContent = description;
  option.append(`/${name} ${argument} `, hint);
  return option;
}
