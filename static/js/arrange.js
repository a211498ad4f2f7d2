import { dayKey, dayName, fullTime, shortTime } from "./dates.js";
import { markOwnReactions } from "./reactions.js";

const GROUP_WITHIN = 5 * 60 * 1000;

/**
 * Whatever comes into the list or leaves it: local times, a line before each day, consecutive messages of one sender
 * drawn as a group, and one's own messages and reactions marked. Only the neighbourhood of a change is looked at.
 *
 * @param {(message: HTMLElement) => void} [prepare] what else is to be done with each
 */
export function arrangeMessages(list, userId, prepare = () => {}) {
  const observer = new MutationObserver((records) => {
    const touched = new Set();
    for (const { addedNodes, nextSibling } of records) {
      for (const node of addedNodes) if (isMessage(node)) touched.add(node);
      touched.add(isMessage(nextSibling) ? nextSibling : messageAfter(nextSibling));
    }
    arrange(touched);
  });

  function arrange(messages) {
    for (const message of messages) {
      if (!message?.isConnected) continue;
      arrangeOne(message, userId);
      prepare(message);
    }
    while (list.lastElementChild?.matches(".date-separator")) list.lastElementChild.remove();
    observer.takeRecords();
  }

  function arrangeAll() {
    for (const line of list.querySelectorAll(".date-separator")) line.remove();
    arrange(list.querySelectorAll(".message"));
  }

  observer.observe(list, { childList: true });
  arrangeAll();
  atMidnight(arrangeAll);
}

function arrangeOne(message, userId) {
  const previous = messageBefore(message);
  const created = new Date(message.dataset.created);
  const startsDay = !previous || dayKey(created) !== dayKey(new Date(previous.dataset.created));
  const time = message.querySelector(".message-time");
  time.textContent = shortTime(created);
  time.title = fullTime(created);
  const edited = message.querySelector(".message-edited");
  if (edited) edited.title = fullTime(new Date(edited.dateTime));
  markOwnReactions(message, userId);
  message.classList.toggle("is-own", message.dataset.senderId === String(userId));
  message.classList.toggle("mentions-me", message.dataset.mentions?.split(" ").includes(String(userId)) ?? false);
  // First: a line that no longer belongs there would part the group.
  drawDay(message, startsDay ? created : null);
  message.classList.toggle("is-continued", !startsDay && continues(message, previous));
}

function continues(message, previous) {
  const isSameSender = message.dataset.senderId !== "" && message.dataset.senderId === previous.dataset.senderId;
  const pause = new Date(message.dataset.created) - new Date(previous.dataset.created);
  return isSameSender && pause < GROUP_WITHIN && message.previousElementSibling === previous;
}

/** Leave exactly the line that belongs between the message and the one before. */
function drawDay(message, day) {
  let place = message;
  while (place.previousElementSibling && !isMessage(place.previousElementSibling)) {
    if (place.previousElementSibling.matches(".date-separator")) place.previousElementSibling.remove();
    else place = place.previousElementSibling;
  }
  if (!day) return;
  const line = document.createElement("li");
  line.className = "date-separator";
  line.textContent = dayName(day);
  place.before(line);
}

const isMessage = (node) => node instanceof Element && node.matches(".message");

function messageBefore(node) {
  let previous = node.previousElementSibling;
  while (previous && !isMessage(previous)) previous = previous.previousElementSibling;
  return previous;
}

function messageAfter(node) {
  let next = node?.nextSibling;
  while (next && !isMessage(next)) next = next.nextSibling;
  return next;
}

/** "Today" is another day then. */
function atMidnight(action) {
  const midnight = new Date().setHours(24, 0, 1, 0);
  setTimeout(() => {
    action();
    atMidnight(action);
  }, midnight - Date.now());
}
