/** Above everything: that there is no connection, and what to do about it. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { Status } from "../../improto/improto.js";
import { sayError } from "../errors.js";
import { t } from "../i18n.js";
import { reconnect } from "../im.js";
import { state } from "../state.js";
import { icon } from "./icons.js";

/** What is said, and whether a button makes sense. Other numbers are shown as numbers. */
const WORDS = {
  [Status.CONNECTING]: ["status.connecting", false],
  [Status.REQUEST_NAVI]: ["status.connecting", false],
  [Status.RESPONSE_NAVI]: ["status.connecting", false],
  [Status.RESPONSE_NAVI_ERROR]: ["status.offline", true],
  [Status.NETWORK_UNAVAILABLE]: ["status.offline", true],
  [Status.REDIRECT]: ["status.connecting", false],
  [Status.DISCONNECTED]: ["status.ended", true],
  [Status.KICKED_OFFLINE_BY_OTHER_CLIENT]: ["status.elsewhere", true],
  [Status.BLOCKED]: ["status.blocked", true],
  [Status.DOMAIN_INCORRECT]: ["status.domain", false],
  [Status.DISCONNECT_BY_SERVER]: ["status.ended", true],
  [Status.APPKEY_IS_FAKE]: ["status.app", false],
};

/** Nothing, while all is well. */
export function banner() {
  const { status, error, isFinal } = state.link;
  if (status === Status.CONNECTED || status === null) return nothing;
  const [key, canRetry] = WORDS[status] ?? ["status.unknown", true];
  const why = isFinal && error && WORDS[status] === undefined ? sayError(error) : "";
  const isElsewhere = status === Status.KICKED_OFFLINE_BY_OTHER_CLIENT;
  return html`<div class="banner ${canRetry ? "bad" : ""}" role="status">
    ${icon(canRetry ? "offline" : "again")}
    <span class="grow">${t(key, { status })} ${why}</span>
    ${canRetry
      ? html`<button type="button" class="button small" @click=${reconnect}>
          ${t(isElsewhere ? "status.here" : "status.again")}
        </button>`
      : nothing}
  </div>`;
}
