/** RC:RcCmd: the notice of a message that was taken back. */

import { nameOf } from "../../people.js";
import { t } from "../../i18n.js";

export const recalled = {
  isNotice: true,
  view: said,
  summary: said,
};

function said({ isMine, senderId }) {
  return isMine ? t("chat.youRecalled") : t("chat.recalled", { name: nameOf(senderId) });
}
