package relay

import (
	"sync"

	"praxisrelay/relay/core"
)

// queueLength is how many messages may wait for a connection slower than its partner: about half a
// second of video. Beyond it the oldest media is dropped, since late media is worthless and memory
// per call is bounded.
const queueLength = 128

// queue holds messages to be written to a connection.
type queue struct {
	mu     sync.Mutex
	frames []*frame
	ready  chan struct{} // holds a token while frames is not empty
	start  func()        // called at the first push: most connections never get a message
	closed bool
}

// frame is a message with its padding.
type frame struct {
	size int
	data []byte // its length is its pool's
}

// Answers are small. A client that sends requests but never reads must not hold memory meant for
// media.
const (
	smallFrame = 256
	largeFrame = core.MaxOutput + 3
)

var smallFrames, largeFrames = framePool(smallFrame), framePool(largeFrame)

func framePool(size int) *sync.Pool {
	return &sync.Pool{New: func() any { return &frame{data: make([]byte, size)} }}
}

// newFrame copies a message and pads it to a multiple of four.
func newFrame(message []byte) *frame {
	pool := smallFrames
	if len(message)+3 > smallFrame {
		pool = largeFrames
	}
	f := pool.Get().(*frame)
	f.size = copy(f.data, message)
	for f.size%4 != 0 {
		f.data[f.size] = 0
		f.size++
	}
	return f
}

func (f *frame) free() {
	if len(f.data) == smallFrame {
		smallFrames.Put(f)
	} else {
		largeFrames.Put(f)
	}
}

// media reports whether a frame is ChannelData or a Data indication, rather than an answer that a
// client waits for.
func (f *frame) media() bool { return f.data[0]&0xC0 == 0x40 || dataIndication(f.data) }

func newQueue(start func()) *queue { return &queue{ready: make(chan struct{}, 1), start: start} }

// push copies a message into the queue, and returns false if another had to be dropped for it.
func (q *queue) push(message []byte) (room bool) {
	f := newFrame(message)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		f.free()
		return true
	}
	if q.start != nil {
		q.start()
		q.start = nil
	}
	room = len(q.frames) < queueLength
	if !room {
		q.dropOldest()
	}
	q.frames = append(q.frames, f)
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return room
}

// dropOldest drops the oldest media, or the oldest answer if the client only sends requests and
// never reads.
func (q *queue) dropOldest() {
	oldest := 0
	for i, f := range q.frames {
		if f.media() {
			oldest = i
			break
		}
	}
	q.frames[oldest].free()
	q.frames = append(q.frames[:oldest], q.frames[oldest+1:]...)
}

// close empties the queue; later messages are discarded.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.take(nil)
}

// take moves the queued messages, in order, to the end of b.
func (q *queue) take(b []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range q.frames {
		b = append(b, f.data[:f.size]...)
		f.free()
	}
	clear(q.frames)
	q.frames = q.frames[:0]
	return b
}
