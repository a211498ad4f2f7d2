/**
 * Who has read how far: a small sign of each person under the last message that they have read, unless they wrote it.
 *
 * @param {import("./message_list.js").MessageList} list
 * @param {import("./connection.js").Connection} connection
 * @param {import("./timeline.js").Timeline} timeline
 */
export function showReceipts(list, connection, timeline, { conversation, userId }) {
  const readers = new Map();
  let isPlanned = false;

  function plan() {
    if (isPlanned) return;
    isPlanned = true;
    requestAnimationFrame(() => {
      isPlanned = false;
      draw();
    });
  }

  function draw() {
    for (const old of list.element.querySelectorAll(".read-receipts")) old.remove();
    const messages = [...list.element.querySelectorAll(".message[data-seq]")];
    for (const reader of readers.values()) {
      const read = messages.findLast((message) => Number(message.dataset.seq) <= reader.seq);
      if (read && read.dataset.senderId !== String(reader.id)) place(reader, read);
    }
  }

  function place({ name }, message) {
    const line = message.querySelector(".read-receipts") ?? message.appendChild(document.createElement("p"));
    const names = line.textContent ? `${line.dataset.names}, ${name}` : name;
    line.className = "read-receipts";
    line.dataset.names = names;
    line.textContent = `Read by ${names}`;
  }

  function take(reader) {
    if (reader.id !== userId) readers.set(reader.id, reader);
  }

  timeline.addEventListener("joined", ({ detail }) => {
    readers.clear();
    detail.readers.forEach(take);
    plan();
  });
  connection.on("messages_read", (told) => {
    if (told.conversation !== conversation) return;
    take(told.reader);
    plan();
  });
  for (const event of ["message:arrived", "message:replaced"]) list.element.addEventListener(event, plan);
}
