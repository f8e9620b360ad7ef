/**
 * Where to connect to, and what the server can do: `navi.js` (http 2).
 */

import { ImError } from "./errors.js";
import { Code } from "./tables.js";

/** Milliseconds for one navigator (session 13). */
const PATIENCE = 10_000;

/** Addresses that are tried. Ours. */
const MOST_HOSTS = 16;

/** What the server is told we are: its rules for that generation are ours (sdk5). */
export const SDK_VERSION = "5.38.0";

/**
 * Ask the navigators one after the other: `{ hosts, settings }`, where `hosts` are URLs without a
 * path and `settings` is what navigation says (http 2.3). Rejects with 31004 if the token is
 * refused, 31002 for the app key, else 30007.
 */
export async function navigate(navigators, appKey, token, signal) {
  let problem = "";
  for (const navigator of navigators) {
    try {
      return await ask(navigator, appKey, token, signal);
    } catch (error) {
      if (error instanceof ImError) throw error;
      problem = `${navigator}: ${error.message}`;
    }
  }
  throw new ImError(Code.RC_NAVI_RESOURCE_ERROR, problem);
}

async function ask(navigator, appKey, token, signal) {
  const url = new URL("navi.js", navigator.endsWith("/") ? navigator : `${navigator}/`);
  url.search = new URLSearchParams({
    appId: appKey,
    token,
    callBack: "getServerEndpoint",
    v: SDK_VERSION,
    r: String(Date.now()),
  });
  const answer = await fetch(url, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
    credentials: "omit",
    cache: "no-store",
  });
  const text = await answer.text();
  // The newer SDKs look for the object in the same way (http 2.2).
  const settings = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
  const code = answer.ok ? settings.code : answer.status;
  if (code === 401) throw new ImError(Code.RC_CONN_USER_OR_PASSWD_ERROR);
  if (code === 403) throw new ImError(Code.RC_CONN_ID_REJECT);
  if (code !== 200) throw new Error(`it answers ${code}`);
  const scheme = url.protocol === "https:" ? "wss:" : "ws:";
  const named = [settings.server, ...String(settings.backupServer ?? "").split(",")];
  const hosts = named
    .filter((host) => typeof host === "string" && host)
    .map((host) => `${scheme}//${host}`)
    .slice(0, MOST_HOSTS);
  if (!hosts.length) throw new ImError(Code.RC_NODE_NOT_FOUND);
  return { hosts, settings };
}

/** The URL of a connection (http 4, sdk5 3). */
export function connectionUrl(host, { appKey, token, deviceId }) {
  const url = new URL("/websocket", host);
  url.search = new URLSearchParams({
    appId: appKey,
    // Hosts may follow the first @ (http 2.1).
    token: token.split("@")[0],
    sdkVer: SDK_VERSION,
    pid: "",
    deviceId,
    apiVer: "browser|improto|1",
    protocolVer: "3",
  });
  return url.href;
}
