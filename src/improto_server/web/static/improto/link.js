/**
 * Stays connected: navigation, login, and coming back (session 3, 4, 15).
 *
 * Rules:
 *
 * - What the server ends on purpose stays ended. Everything else comes back by itself, after
 *   delays that grow with each failure in a row and are jittered.
 * - A first attempt that fails is told and not repeated: as often as not something is mistyped.
 * - The token is asked for when there is none, and again, once, when the server refuses it.
 */

import { Connection } from "./connection.js";
import { ImError, invalid } from "./errors.js";
import { connectionUrl, navigate } from "./navigation.js";
import { Code, ConnAck, Dismissal, Status } from "./tables.js";

/** Milliseconds: the first delay, the longest, and after which a connection was a good one. */
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 60_000;
const STEADY = 10_000;

/** The server is there and cannot take us now; all other refusals are final. */
const PASSING = new Set([ConnAck.SERVER_UNAVAILABLE, ConnAck.REDIRECT]);

const TOKEN_REFUSED = new Set([Code.RC_CONN_USER_OR_PASSWD_ERROR, Code.RC_CONN_TOKEN_EXPIRED]);

/** What is shown, and which error it is, when the server sends us away (session 4.1). */
const DISMISSALS = {
  [Dismissal.OTHER_DEVICE_LOGIN]: [Status.KICKED_OFFLINE_BY_OTHER_CLIENT, Code.RC_DISCONN_KICK],
  [Dismissal.BLOCK]: [Status.BLOCKED, Code.RC_CONN_USER_BLOCKED],
  [Dismissal.BLOCK_NEW]: [Status.BLOCKED, Code.RC_CONN_USER_BLOCKED],
};
const REDIRECTS = new Set([Dismissal.REDIRECT, Dismissal.REDIRECT_NEW]);

/** What is shown when an attempt has failed; otherwise NETWORK_UNAVAILABLE. */
const FAILURES = {
  [Code.RC_CONN_ID_REJECT]: Status.APPKEY_IS_FAKE,
  [Code.RC_CONN_USER_BLOCKED]: Status.BLOCKED,
  [Code.RC_CONN_HOSTNAME_ERROR]: Status.DOMAIN_INCORRECT,
};

export class Link {
  #options;
  #on;
  #run = null;
  #route = null;
  #token = null;
  #wake = () => {};

  /**
   * `on.status(status)`, `on.online(connection, connack)`, `on.offline()` and `on.ended(error)` are
   * told in turn; `on.publish` and `on.copy` are those of the connection.
   */
  constructor(options, on) {
    const { appKey, navigator, address, token } = options;
    if (typeof appKey !== "string" || !appKey) throw invalid("appKey has to be a text");
    if (typeof token !== "function") throw invalid("token has to be a function");
    if (!navigator === !address) throw invalid("one of navigator and address is needed");
    this.#options = { deviceId: randomName(), ...options };
    this.#on = on;
    this.status = Status.DISCONNECTED;
    this.connection = null;
    /** What navigation has said; empty without navigation. */
    this.settings = {};
  }

  /** Connected, connecting, or waiting to connect again. */
  get isLiving() {
    return this.#run !== null;
  }

  /** Connect and stay so; rejects if the first attempt fails. */
  connect() {
    if (this.#run) throw new ImError(Code.CAN_NOT_RECONNECT);
    return new Promise((resolve, reject) => {
      this.#run = { abort: new AbortController(), resolve, reject };
      this.#stay(this.#run);
    });
  }

  /** Be connected no longer. Harmless if we are not. */
  disconnect() {
    const run = this.#run;
    if (run) this.#over(run, Status.DISCONNECTED, new ImError(Code.RC_NET_CHANNEL_INVALID));
  }

  /** The page is back, or the network: do not wait for a delay, and look whether we are on. */
  wake() {
    this.#wake();
    this.connection?.check();
  }

  async #stay(run) {
    let failures = 0;
    let redirects = 0;
    while (this.#run === run) {
      let problem;
      try {
        problem = await this.#liveOnce(run);
      } catch (error) {
        problem = { error, isFinal: error.isFinal || !run.wasOnline };
      }
      if (this.#run !== run) return;
      if (problem.lasted >= STEADY) failures = redirects = 0;
      const { error, status, isFinal } = problem;
      if (isFinal) {
        const usual = error.isFinal ? Status.DISCONNECTED : Status.NETWORK_UNAVAILABLE;
        this.#over(run, status ?? FAILURES[error.code] ?? usual, error);
        return;
      }
      this.#show(run, status ?? Status.NETWORK_UNAVAILABLE);
      const isFirstRedirect = status === Status.REDIRECT && redirects++ === 0;
      if (!isFirstRedirect) await this.#pause(failures++);
    }
  }

  /** One connection from its beginning to its end: what has ended it. */
  async #liveOnce(run) {
    const { connection, connack } = await this.#attempt(run);
    if (this.#run !== run) return {};
    const begin = performance.now();
    this.connection = connection;
    try {
      this.#on.online(connection, connack);
    } catch (error) {
      // It would stay open, with nobody who listens.
      connection.close();
      this.connection = null;
      this.#on.offline();
      throw error;
    }
    run.wasOnline = true;
    this.#show(run, Status.CONNECTED);
    run.resolve(connack.userId);
    const end = await connection.closed;
    const lasted = performance.now() - begin;
    if (this.#run === run) {
      this.connection = null;
      this.#on.offline();
    }
    if (end.status === null) return { lasted, error: new ImError(end.code) };
    if (REDIRECTS.has(end.status)) {
      this.#route = null;
      return { lasted, status: Status.REDIRECT, error: new ImError(Code.RC_CONN_REDIRECTED) };
    }
    const [status, code] = DISMISSALS[end.status] ?? [
      Status.DISCONNECT_BY_SERVER,
      Code.RC_DISCONN_EXCEPTION,
    ];
    return { status, error: new ImError(code), isFinal: true };
  }

  async #attempt(run) {
    const isFresh = this.#token === null;
    this.#token ??= await this.#options.token();
    try {
      return await this.#tryHosts(run);
    } catch (error) {
      if (!TOKEN_REFUSED.has(error.code)) throw error;
      this.#token = null;
      if (isFresh) throw error;
      return await this.#attempt(run);
    }
  }

  async #tryHosts(run) {
    const isNewRoute = this.#route === null;
    if (isNewRoute) await this.#findRoute(run);
    let problem;
    for (const host of this.#route) {
      this.#show(run, Status.CONNECTING);
      run.abort.signal.throwIfAborted();
      try {
        return await this.#logIn(run, host);
      } catch (error) {
        if (error.isFinal) throw error;
        problem = error;
      }
    }
    this.#route = null;
    if (problem.status !== ConnAck.REDIRECT || isNewRoute) throw problem;
    return await this.#tryHosts(run);
  }

  async #logIn(run, host) {
    const url = connectionUrl(host, { ...this.#options, token: this.#token });
    const connection = new Connection(url, this.#on);
    const abort = () => connection.close();
    run.abort.signal.addEventListener("abort", abort);
    connection.closed.then(() => run.abort.signal.removeEventListener("abort", abort));
    try {
      return { connection, connack: await connection.accepted };
    } catch (error) {
      error.isFinal = error.status !== undefined && !PASSING.has(error.status);
      throw error;
    }
  }

  async #findRoute(run) {
    const { appKey, navigator, address } = this.#options;
    if (address) {
      this.#route = [address];
      return;
    }
    this.#show(run, Status.REQUEST_NAVI);
    try {
      const { signal } = run.abort;
      const found = await navigate([navigator].flat(), appKey, this.#token, signal);
      this.#route = found.hosts;
      this.settings = found.settings;
      this.#show(run, Status.RESPONSE_NAVI);
    } catch (error) {
      this.#show(run, Status.RESPONSE_NAVI_ERROR);
      error.isFinal = error.code !== Code.RC_NAVI_RESOURCE_ERROR;
      throw error;
    }
  }

  /** Of each delay a random part, at most half, is left out. */
  #pause(failures) {
    const delay = Math.min(FIRST_DELAY * 2 ** failures, LONGEST_DELAY);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay * (0.5 + Math.random() / 2));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #over(run, status, error) {
    this.#run = null;
    this.connection = null;
    run.abort.abort();
    this.#wake();
    this.#set(status);
    run.reject(error);
    this.#on.ended(error);
  }

  #show(run, status) {
    if (this.#run === run) this.#set(status);
  }

  #set(status) {
    if (status === this.status) return;
    this.status = status;
    this.#on.status(status);
  }
}

/** 22 characters, as SDKs name a page (sdk5 3). */
export function randomName() {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const bytes = crypto.getRandomValues(new Uint8Array(22));
  return Array.from(bytes, (byte) => letters[byte & 63]).join("");
}
