/** So far from the button, and from the window's edge. */
const GAP = 6;

/** Mark which of a message's reactions are one's own. */
export function markOwnReactions(message, userId) {
  for (const chip of message.querySelectorAll("[data-reaction]")) {
    chip.ariaPressed = String(chip.dataset.userIds.split(" ").includes(String(userId)));
  }
}

export function enableReactions(message, isAllowed) {
  for (const chip of message.querySelectorAll("[data-reaction]")) chip.disabled = !isAllowed;
}

/**
 * React: a click on a reaction under a message takes part in it or leaves it, the menu adds another one.
 *
 * @param {HTMLElement} menu a popover with a button for each emoji
 * @param {HTMLElement} list
 * @param {import("./message_tools.js").MessageTools} tools
 * @param {import("./changes.js").Changes} changes
 */
export function offerReactions(menu, list, tools, changes) {
  const emojis = [...menu.querySelectorAll("[data-emoji]")];

  async function toggle(message, emoji) {
    const chip = findChip(message, emoji);
    if (chip?.ariaBusy === "true") return;
    if (chip) chip.ariaBusy = "true";
    await changes.attempt("react", Number(message.dataset.seq), { reaction: emoji, on: chip?.ariaPressed !== "true" });
    if (chip) chip.ariaBusy = null;
  }

  function place() {
    const button = tools.element.querySelector("[data-react]").getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = menu;
    const hasRoomAbove = button.top > height + 2 * GAP;
    const left = Math.min(button.right - width, document.documentElement.clientWidth - width - GAP);
    menu.style.top = `${hasRoomAbove ? button.top - height - GAP : button.bottom + GAP}px`;
    menu.style.left = `${Math.max(GAP, left)}px`;
  }

  function step(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    emojis.at((emojis.indexOf(document.activeElement) + by) % emojis.length).focus();
  }

  menu.addEventListener("toggle", ({ newState }) => {
    if (newState !== "open") return;
    place();
    emojis[0].focus();
  });
  menu.addEventListener("keydown", step);
  menu.addEventListener("click", ({ target }) => {
    const emoji = target.closest("[data-emoji]")?.dataset.emoji;
    const { message } = tools;
    if (!emoji) return;
    menu.hidePopover();
    if (message) toggle(message, emoji);
  });
  list.addEventListener("click", ({ target }) => {
    const chip = target.closest("[data-reaction]");
    if (chip) toggle(chip.closest(".message"), chip.dataset.reaction);
  });
  // Whoever reacts by the keyboard stays where he is.
  list.addEventListener("message:replaced", ({ detail: { old, fresh } }) => {
    const focused = document.activeElement;
    if (old.contains(focused) && focused.matches("[data-reaction]")) {
      enableReactions(fresh, true);
      (findChip(fresh, focused.dataset.reaction) ?? fresh).focus();
    }
  });
}

const findChip = (message, emoji) => message.querySelector(`[data-reaction="${CSS.escape(emoji)}"]`);
