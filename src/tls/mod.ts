/**
 * Certificates: make, load, watch, and tell when they expire. Loading and watching need
 * `--allow-read` for the three files; everything else needs no permission.
 *
 * @module
 */
export { type CertificateInfo, certificateInfo, commonNameOf } from "./certificate_info.ts";
export { expiryWarnings } from "./expiry.ts";
export {
  generateCa,
  type GenerateCaOptions,
  type GeneratedCertificate,
  type GeneratedInstance,
  generateInstance,
  type GenerateInstanceOptions,
} from "./generate.ts";
export {
  type CredentialPaths,
  type Credentials,
  loadCredentials,
  type LoadCredentialsOptions,
  type ReadFile,
  readPemFile,
} from "./load.ts";
export { loadServerIdentity, type ServerIdentity } from "./server_identity.ts";
export { formatTime } from "./time.ts";
export { type CredentialsWatch, watchCredentials, type WatchCredentialsOptions } from "./watch.ts";
