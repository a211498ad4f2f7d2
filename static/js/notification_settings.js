// The section "Notifications" of a person's settings. They belong to the browser: other devices have their own.

import { parseSettings } from "./core/notification_rules.js";
import { showNotification } from "./desktop_notification.js";
import { find } from "./dom.js";
import { playSound } from "./notification_sound.js";

/** @import { FallbackStorage } from "./core/fallback_storage.js" */
/** @import { NotificationSettings } from "./core/notification_rules.js" */

const BLOCKED =
  "This browser blocks notifications from chatapp. Allow them in the settings of the site, then try again.";
const UNAVAILABLE = "This browser cannot show notifications of pages, or only of pages with HTTPS.";

/** The settings of one person in this browser. */
export class NotificationSettingsStore {
  #storage;
  #key;

  /**
   * @param {FallbackStorage} storage
   * @param {number} userId
   */
  constructor(storage, userId) {
    this.#storage = storage;
    this.#key = `chatapp:notifications:${userId}`;
  }

  /** The settings as they are now, perhaps changed in another tab. */
  get current() {
    return parseSettings(this.#storage.get(this.#key));
  }

  /** @param {NotificationSettings} settings */
  save(settings) {
    this.#storage.set(this.#key, JSON.stringify(settings));
  }
}

/** Whether the browser can show notifications, and has been allowed to. */
export const isAllowed = () => isSupported() && Notification.permission === "granted";

const isSupported = () => "Notification" in window && window.isSecureContext;

/**
 * Show the settings, and keep what the person changes at once.
 *
 * @param {HTMLElement} section
 * @param {NotificationSettingsStore} store
 */
export function editNotificationSettings(section, store) {
  const field = (/** @type {string} */ name) => find(section, `[name=${name}]`, HTMLInputElement);
  const [shown, sound, from, until] = [field("shown"), field("sound"), field("quiet_from"), field("quiet_until")];
  const hint = find(section, "[data-notification-hint]");
  const explain = (/** @type {string} */ text) => {
    hint.textContent = text;
    hint.hidden = !text;
  };
  const stored = store.current;
  shown.checked = stored.areShown && isAllowed();
  sound.checked = stored.haveSound;
  from.value = stored.quietFrom;
  until.value = stored.quietUntil;
  shown.disabled = !isSupported();
  explain(isSupported() ? "" : UNAVAILABLE);
  section.hidden = false;

  section.addEventListener("change", async ({ target }) => {
    if (target === shown && shown.checked) {
      const problem = await switchOn();
      shown.checked = !problem;
      explain(problem);
    }
    if (target === sound && sound.checked) playSound();
    store.save({
      areShown: shown.checked,
      haveSound: sound.checked,
      quietFrom: from.value,
      quietUntil: until.value,
    });
  });
}

/** Ask for the permission, and show a first notification. Returns why that is not possible, if so. */
async function switchOn() {
  if ((await Notification.requestPermission()) !== "granted") return BLOCKED;
  try {
    await showNotification("chatapp", { body: "Notifications are switched on.", tag: "switched-on" });
  } catch {
    return UNAVAILABLE;
  }
  return "";
}
