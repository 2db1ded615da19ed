/**
 * A bounded memory of the ids that were seen, to tell a message from its repetition. Needs no permission.
 *
 * @module
 */
export { SEEN_IDS_CAPACITY_MAX, SeenIds } from "./seen_ids.ts";
