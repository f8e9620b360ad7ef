/** Emoji by what they are about. They are texts: the system's own font shows them. */

const split = (text) => text.split(" ");

/** `[name, emoji]`; the names are keys of i18n with "emoji." before them. */
export const GROUPS = [
  ["faces", split("😀 😃 😄 😁 😆 😅 😂 🤣 🙂 🙃 😉 😊 😇 🥰 😍 🤩 😘 😗 😋 😛 😜 🤪 🤗 🤭 🤫 🤔 😐 😑 😶 😏 😒 🙄 😬 😌 😔 😪 😴 😷 🤒 🤢 🥵 🥶 😵 🤯 🥳 😎 🤓 😕 😟 🙁 😮 😲 😳 🥺 😨 😰 😢 😭 😱 😖 😤 😡 🤬 😈 💀 💩 🤡 👻 👽 🤖")],
  ["hands", split("👍 👎 👌 ✌️ 🤞 🤟 🤘 🤙 👈 👉 👆 👇 ☝️ ✋ 🖐️ 🖖 👋 👏 🙌 🤝 🙏 ✊ 👊 💪 🤷 🤦 🙋 🙇 💁 🙆 🙅 💃 🕺 🚶 🏃 👀")],
  ["hearts", split("❤️ 🧡 💛 💚 💙 💜 🖤 💔 💕 💖 💘 💯 💢 💥 💫 💦 💤 ✨ ⭐ 🌟 🔥 🎉 🎊 🎁 🎂 🏆 ✅ ❌ ❓ ❗")],
  ["nature", split("🐶 🐱 🐭 🐰 🦊 🐻 🐼 🐯 🦁 🐮 🐷 🐸 🐵 🐔 🐧 🐦 🐴 🦄 🐝 🦋 🐢 🐍 🐙 🐳 🐬 🌸 🌹 🌻 🌲 🌴 🍀 🍁 🌞 🌙 ⛅ 🌧️ ❄️ 🌈 🌊")],
  ["food", split("🍎 🍌 🍉 🍇 🍓 🍑 🥑 🍅 🌽 🥕 🍞 🧀 🍳 🥞 🍔 🍟 🍕 🌮 🍜 🍚 🍣 🥟 🍦 🍰 🍫 🍩 ☕ 🍵 🍺 🍷 🥂 🧃")],
  ["things", split("⚽ 🏀 🎾 🏓 🎮 🎲 🎵 🎸 🎬 📷 📱 💻 ⌚ 💡 📚 ✏️ 📎 📌 ✉️ 🔒 🔑 🔔 🚗 🚌 🚲 ✈️ 🚀 🚉 🏠 🏖️ ⛰️ 🌍 ⏰ 💰 ☂️ 👓")],
];
