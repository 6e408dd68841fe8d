// The device's camera and microphone, and the buttons that pause them.

import { show } from './words.js';

const devices = [['microphone', 'audio'], ['camera', 'video']];

// openMedia asks for both, and for what there is of them. It returns a stream, or
// nothing, at the latest when the person has enough of being asked (an AbortSignal).
export async function openMedia(enough) {
  const video = { facingMode: 'user', width: { ideal: 1280 }, height: { ideal: 720 } };
  const over = new Promise((resolve) => enough.addEventListener('abort', () => resolve()));
  for (const wish of [{ audio: true, video }, { audio: true }, { video }]) {
    const asked = navigator.mediaDevices.getUserMedia(wish);
    try {
      const stream = await Promise.race([asked, over]);
      if (!enough.aborted) {
        for (const track of stream.getTracks()) track.addEventListener('ended', () => showDevices(stream));
        return stream;
      }
    } catch (error) {
      console.warn('media:', error.name);
    }
    if (enough.aborted) {
      asked.then(stop, () => {}); // an answer that comes too late
      break;
    }
  }
  return undefined;
}

export function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

// showDevices says what the buttons do, and how things are where that matters.
export function showDevices(stream) {
  for (const [id, kind] of devices) {
    const track = stream?.getTracks().find((candidate) => candidate.kind === kind);
    const ended = track?.readyState === 'ended';
    const on = track?.enabled && !ended;
    const button = document.getElementById(id);
    button.disabled = !track || ended;
    button.classList.toggle('off', !on);
    show(id, `${id}.${on ? 'stop' : 'start'}`);
    show(`${id}-state`, on ? '' : `${id}.${!track ? 'none' : ended ? 'ended' : 'off'}`);
  }
}

// toggle pauses the tracks of a kind, or takes them up again.
export function toggle(stream, kind) {
  for (const track of stream?.getTracks() ?? []) {
    if (track.kind === kind) track.enabled = !track.enabled;
  }
  showDevices(stream);
}

// sends returns which kinds of media a stream gives now, so that the partner knows what to
// expect. What a person pauses still sends silence or black; what the device muted sends
// nothing. A hidden page promises no picture: phones stop the camera then.
export function sends(stream) {
  const gives = (tracks) => tracks?.some((track) => track.readyState === 'live' && !track.muted) ?? false;
  return { audio: gives(stream?.getAudioTracks()), video: gives(stream?.getVideoTracks()) && !document.hidden };
}
