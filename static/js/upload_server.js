// Sends files to the server.

import { RequestError } from "./core/connection.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { UploadServer } from "./core/uploads.js" */
/** @import { UploadError } from "./tus.js" */

/** Size of a request's body: little is sent again after a lost connection. */
const CHUNK_BYTES = 4_000_000;

/** Statuses that do not last: another request writes to the upload, or the server is busy or restarts. */
const TRANSIENT = [408, 409, 423, 425, 429];

/** The server's disk is full. */
const FULL = 507;

/**
 * @param {Connection} connection
 * @returns {UploadServer}
 */
export function createUploadServer(connection) {
  return {
    async create(name, size) {
      try {
        const { upload } = await connection.request("create_upload", { name, size });
        return upload;
      } catch (error) {
        // The person decides when to try again.
        if (error instanceof RequestError && error.code === "storage_full")
          throw new RequestError({ code: "invalid", message: error.message });
        throw error;
      }
    },
    async send(file, url, { onProgress, signal }) {
      const { Upload } = await import("./tus.js");
      await new Promise((resolve, reject) => {
        const upload = new Upload(file, {
          uploadUrl: url,
          chunkSize: CHUNK_BYTES,
          // `Uploads` decides when to try again.
          retryDelays: null,
          storeFingerprintForResuming: false,
          onProgress,
          onError: (error) => reject(toRequestError(error)),
          onSuccess: () => resolve(null),
        });
        signal.addEventListener("abort", () => upload.abort().then(resolve, resolve));
        if (signal.aborted) resolve(null);
        else upload.start();
      });
    },
    cancel(url) {
      const headers = { "Tus-Resumable": "1.0.0" };
      // What is left is removed by the server, later.
      fetch(url, { method: "DELETE", headers }).catch(() => null);
    },
  };
}

/**
 * Return the error of the server's response. Without one, return the error itself.
 *
 * @param {UploadError} error
 */
function toRequestError(error) {
  const { originalResponse: response } = error;
  const status = response?.getStatus() ?? 0;
  if (!response || status === 0) return error;
  if (status === 404 || status === 410) return new RequestError({ code: "not_found" });
  if (isTransient(status))
    return new RequestError({ code: "busy", retry_after: Number(response.getHeader("Retry-After")) || 0 });
  return new RequestError({ code: "invalid", message: readDetail(response.getBody()) });
}

/** @param {number} status */
const isTransient = (status) => (status >= 500 && status !== FULL) || TRANSIENT.includes(status);

/** @param {string} body a problem document */
function readDetail(body) {
  try {
    return JSON.parse(body).detail;
  } catch {
    return undefined;
  }
}
