/** RC:HQVCMsg: something spoken, kept as a file. RC:VcMsg has it inside, as no browser plays it. */

import { html } from "../../../vendor/lit-html/lit-html.js";
import { durationOf, t } from "../../i18n.js";
import { playback, seek, toggle } from "../../player.js";
import { iconButton } from "../parts.js";
import { webLink } from "./links.js";

export const voice = {
  view(message) {
    const { fields, node } = message;
    const url = webLink(fields.remoteUrl);
    const seconds = secondsOf(fields);
    const name = t("content.voice");
    if (url === null) return html`<span class="unknown">${name} ${durationOf(seconds)}</span>`;
    const played = playback();
    const { isPlaying, at } = played?.node === node ? played : { isPlaying: false, at: 0 };
    return html`<span class="voice" role="group" aria-label="${name}, ${durationOf(seconds)}">
      ${iconButton({
        name: isPlaying ? "pause" : "play",
        label: t(isPlaying ? "voice.pause" : "voice.play"),
        run: () => toggle(node, url),
      })}
      <input
        type="range"
        min="0"
        max=${seconds}
        step="0.1"
        aria-label=${t("voice.position")}
        aria-valuetext=${durationOf(at)}
        .value=${String(at)}
        @input=${({ target }) => seek(node, url, Number(target.value))}
      />
      <span class="voice-time">${durationOf(at || seconds)}</span>
    </span>`;
  },
  summary: ({ fields }) => `[${t("content.voice")}] ${durationOf(secondsOf(fields))}`,
};

function secondsOf({ duration }) {
  const seconds = Number(duration);
  return seconds > 0 && seconds < 86_400 ? seconds : 0;
}
