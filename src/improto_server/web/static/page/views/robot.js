/** What the robot understands, as buttons: in its chat only. The words are its own, in English. */

import { html, svg } from "../../vendor/lit-html/lit-html.js";
import { ConversationType } from "../../improto/improto.js";
import { t } from "../i18n.js";
import { sendText } from "../im.js";
import { state } from "../state.js";
import { addComposerTool } from "./composer.js";
import { addIcons } from "./icons.js";

/** Those that end with a space want more. */
const COMMANDS = ["help", "time", "dice", "dice 2d6", "echo "];

addIcons({
  robot: svg`<path d="M6 9h12v9H6zM12 5v4M9.5 13h.01M14.5 13h.01M3 12v3M21 12v3" />`,
});

addComposerTool({
  name: "robot",
  icon: "robot",
  label: () => t("robot.title"),
  canUse: ({ type, targetId }) =>
    type === ConversationType.PRIVATE && targetId === state.config.robot,
  panel: ({ conversation, insert, close }) => {
    const say = (command) => {
      if (!command.endsWith(" ")) {
        sendText(conversation, command);
        return;
      }
      close();
      insert(command);
    };
    return html`<div class="robot-commands" role="group" aria-label=${t("robot.title")}>
      ${COMMANDS.map(
        (each) => html`<button type="button" class="button plain robot-command" @click=${() => say(each)}>
          ${each.trim()}
        </button>`,
      )}
    </div>`;
  },
});
