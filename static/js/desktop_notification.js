// Shows a notification on the desktop, or on a phone.

/**
 * Show a notification. A click on it leads to `path`, if there is one.
 *
 * Throws if the browser cannot show it: on phones only service workers may, and only pages with HTTPS have one.
 *
 * @param {string} title
 * @param {NotificationOptions} options
 * @param {string | null} path
 */
export async function showNotification(title, options, path = null) {
  try {
    const notification = new Notification(title, options);
    notification.addEventListener("click", () => {
      window.focus();
      notification.close();
      if (path) location.assign(path);
    });
  } catch (error) {
    const registration = await navigator.serviceWorker?.getRegistration();
    if (!registration?.active) throw error;
    await registration.showNotification(title, { ...options, data: path });
  }
}

/** Follow clicks on notifications that the service worker has shown for this page. */
export function followNotificationClicks() {
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (data.open) location.assign(data.open);
  });
}
