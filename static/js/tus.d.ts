// The part of tus-js-client that is used here.

export interface UploadError extends Error {
  originalResponse?: { getStatus(): number; getHeader(name: string): string | undefined; getBody(): string } | null;
}

interface UploadOptions {
  uploadUrl: string;
  chunkSize: number;
  retryDelays: null;
  storeFingerprintForResuming: false;
  onProgress(sent: number): void;
  onError(error: UploadError): void;
  onSuccess(): void;
}

export class Upload {
  constructor(file: Blob, options: UploadOptions);
  start(): void;
  abort(): Promise<void>;
}
