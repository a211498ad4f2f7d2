// Completes commands at the beginning of a message: those of chatapp, and those of the webhooks of a room.

import { commandsOf, findCommandPrefix } from "./core/commands.js";
import { OptionSource } from "./option_source.js";

/** @import { Completion } from "./autocomplete.js" */
/** @import { Command } from "./core/commands.js" */

/**
 * @param {string} conversation
 * @param {string} path of the list of webhooks' commands
 * @returns {Completion}
 */
export function completeCommands(conversation, path) {
  const source = new OptionSource(() => path);
  return {
    label: "Commands",
    findPrefix: findCommandPrefix,
    load: () => source.request(""),
    list: (prefix) =>
      [...commandsOf(conversation).map(createOption), ...source.options.values()]
        // A name that is complete needs no completion: Enter runs it.
        .filter(({ dataset: { command } }) => command?.startsWith(prefix) && command !== prefix),
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
