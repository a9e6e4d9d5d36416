// The call that rings opens by itself, an emergency is heard, and what was said can be played.
"use strict";

// --- the call that rings ---

// Once a call, and not under the hands of somebody who is filling in a form.
let touched = false;
document.addEventListener("input", (event) => {
  if (event.target.closest("main form")) touched = true;
});

function openCall() {
  for (const link of document.querySelectorAll("#ringing a[data-open-call]")) {
    link.closest(".ring").hidden = location.pathname === link.pathname;
    const key = `opened:${link.dataset.openCall}`;
    if (touched || sessionStorage.getItem(key)) continue;
    sessionStorage.setItem(key, "yes");
    if (location.pathname !== link.pathname) location.assign(link.href);
    return;
  }
}

// --- an emergency ---

const HIGH_HZ = 880, LOW_HZ = 660, TONE_S = 0.4, LOUDNESS = 0.25;
let sound = null;
let siren = null;
const silenced = new Set(JSON.parse(sessionStorage.getItem("silenced") || "[]"));

function tone(hz, begin) {
  const source = new OscillatorNode(sound, { type: "triangle", frequency: hz });
  const level = new GainNode(sound, { gain: LOUDNESS });
  source.connect(level).connect(sound.destination);
  source.start(begin);
  source.stop(begin + TONE_S);
}

function wail() {
  if (sound.state !== "running") return;
  tone(HIGH_HZ, sound.currentTime);
  tone(LOW_HZ, sound.currentTime + TONE_S);
}

function showSound() {
  const allowed = sound !== null && sound.state === "running";
  for (const button of document.querySelectorAll("[data-sound]")) {
    button.hidden = siren === null || (button.dataset.sound === "on") === allowed;
  }
}

// Browsers let a page make a sound only after somebody has touched it: until then, a button asks.
function alarm() {
  const crying = [...document.querySelectorAll("#alarms [data-alarm]")];
  if (crying.some((one) => !silenced.has(one.dataset.alarm))) {
    if (sound === null) {
      sound = new AudioContext();
      sound.addEventListener("statechange", showSound);
    }
    siren ??= setInterval(wail, 3 * TONE_S * 1000);
  } else {
    clearInterval(siren);
    siren = null;
  }
  showSound();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sound]");
  if (!button) return;
  if (button.dataset.sound === "on") {
    sound.resume();
  } else {
    for (const one of document.querySelectorAll("#alarms [data-alarm]")) silenced.add(one.dataset.alarm);
    sessionStorage.setItem("silenced", JSON.stringify([...silenced]));
    alarm();
  }
});

document.body.addEventListener("htmx:sseMessage", () => {
  openCall();
  alarm();
});
openCall();
alarm();

// --- what was said ---

let playing = null;
function stop() {
  if (playing === null) return;
  playing.audio.pause();
  playing.button.setAttribute("aria-pressed", "false");
  playing = null;
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-play]");
  if (!button) return;
  const again = playing !== null && playing.button === button;
  stop();
  if (again) return;
  playing = { button, audio: new Audio(button.dataset.play) };
  button.setAttribute("aria-pressed", "true");
  playing.audio.addEventListener("ended", stop);
  playing.audio.addEventListener("error", stop);
  playing.audio.play();
});
