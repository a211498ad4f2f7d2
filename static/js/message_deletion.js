/**
 * Delete a message, after a question.
 *
 * @param {HTMLDialogElement} dialog
 * @param {import("./message_tools.js").MessageTools} tools
 * @param {import("./changes.js").Changes} changes
 */
export function offerDeletion(dialog, tools, changes) {
  let seq = null;

  tools.element.querySelector("[data-delete]").addEventListener("click", () => {
    seq = Number(tools.message.dataset.seq);
    dialog.querySelector("[data-quote]").textContent = tools.message.querySelector(".message-body").textContent;
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    document.getElementById(`message-${seq}`)?.focus();
    if (dialog.returnValue === "delete") changes.attempt("delete_message", seq);
  });
}
