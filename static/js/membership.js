/**
 * When one is removed from the conversation that is shown: say so, and close the composer. What was read stays.
 *
 * @param {import("./connection.js").Connection} connection
 * @param {import("./timeline.js").Timeline} timeline
 */
export function endWithMembership(main, connection, timeline) {
  function end() {
    main.querySelector("[data-removed-notice]").hidden = false;
    main.dataset.mayPost = "false";
    for (const control of main.querySelector("[data-composer]")?.elements ?? []) control.disabled = true;
  }

  connection.on("removed_from_chat", ({ conversation }) => {
    if (conversation === main.dataset.conversation) end();
  });
  timeline.addEventListener("refused", end);
}
