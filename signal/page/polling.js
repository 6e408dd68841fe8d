// Carries a session's frames by long polling, for networks that let no WebSocket
// through, until a poll fails.

const pollTime = 40000; // the server holds a poll for 25 seconds
const resumeTime = 5000; // it answers the first of two posts at once
const pause = 100; // between two posts, so that what is said together goes together

// What a post may hold in addition to its first frame.
const maxFrames = 30;
const maxLetters = 3 * 16384;

// post says frames to the server.
export function post(frames, options) {
  return fetch('/v1/signal', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ frames }),
    cache: 'no-store',
    ...options,
  });
}

// fitting returns the frames that one post may hold.
export function fitting(frames) {
  let letters = 0;
  const end = frames.slice(0, maxFrames).findIndex((frame) => (letters += JSON.stringify(frame).length) > maxLetters);
  return frames.slice(0, end < 0 ? maxFrames : Math.max(1, end));
}

export class Polling {
  #session; #take; #lost; #timer;
  #abort = new AbortController();
  #opened = false;
  #underway = 0; // one post is held, and another one may be on its way
  #last = 0; // the number of the last frame that was posted
  #posted = 0; // when

  // As Socket's.
  constructor(session, take, lost) {
    this.#session = session;
    this.#take = take;
    this.#lost = lost;
    if (session.seated) this.#probe(resumeTime);
    else this.#post();
  }

  wake() {
    if (!this.#opened || this.#timer || this.#underway > 1) return;
    if (this.#underway === 1 && !this.#session.pending(this.#last).length) return;
    this.#timer = setTimeout(() => this.#post(), Math.max(0, this.#posted + pause - performance.now()));
  }

  // check gives up what is held, which may be on a dead path, and posts again.
  check(within) {
    if (!this.#opened) return;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#underway = 0;
    clearTimeout(this.#timer);
    this.#probe(within);
  }

  close() {
    this.#lost = this.#take = () => {};
    this.#lose();
  }

  // probe posts what the server may hold until it has something to say, and another one,
  // which makes it answer the first at once.
  #probe(within) {
    this.#post(within);
    this.#timer = setTimeout(() => this.#post(), pause);
  }

  async #post(within = pollTime) {
    this.#timer = undefined;
    this.#posted = performance.now();
    this.#underway++;
    const frames = [this.#session.opening()];
    if (this.#session.seated) frames.push(...fitting(this.#session.pending()));
    const said = frames.at(-1).n ?? 0;
    this.#last = said || this.#last;
    const { signal } = this.#abort;
    const deadline = setTimeout(() => this.#lose(), within);
    try {
      const response = await post(frames, { signal });
      if (!response.ok && response.status !== 429) throw new Error(`the server answered ${response.status}`);
      const answer = await response.json();
      if (signal.aborted) return;
      this.#opened = true;
      for (const frame of answer.frames) this.#take(frame);
      if (signal.aborted) return;
      // What came too fast was not taken, and is said again.
      const missed = this.#session.pending().find(({ n }) => n <= said);
      if (missed) this.#last = Math.min(this.#last, missed.n - 1);
      this.#underway--;
      this.wake();
    } catch (error) {
      if (signal.aborted) return;
      console.warn('polling:', error.message);
      this.#lose();
    } finally {
      clearTimeout(deadline);
    }
  }

  #lose() {
    clearTimeout(this.#timer);
    this.#abort.abort();
    const lost = this.#lost;
    this.#lost = this.#take = () => {};
    lost(this.#opened);
  }
}
