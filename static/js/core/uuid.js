// Random UUIDs. `crypto.randomUUID` is missing on plain HTTP, which many servers in a local network use.

export function randomUuid() {
  const bytes = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte, index) => {
    if (index === 6) return (byte & 0x0f) | 0x40; // Version 4.
    if (index === 8) return (byte & 0x3f) | 0x80; // RFC 9562's variant.
    return byte;
  });
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
