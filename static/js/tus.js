// The library that uploads files by tus, a protocol for resumable uploads. bin/setup bundles it (tus.d.ts has the types).

export { Upload } from "../vendor/tus.js";
